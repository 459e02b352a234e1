"""The writer of a stream runs ahead of its reader, but not far, and is never left running when the reader goes."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from linecook import Runtime, tool
from linecook.tools.pump import BUFFER

made: list[int] = []
closed_on: list[str] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    made.clear()
    closed_on.clear()


@tool
def count(pause: float = 0.0) -> Iterator[int]:
    try:
        for number in range(100_000):
            if pause:
                time.sleep(pause)
            made.append(number)
            yield number
    finally:
        closed_on.append(threading.current_thread().name)


async def test_the_writer_is_a_buffer_ahead_and_stops() -> None:
    async with count() as pieces:
        assert await anext(pieces) == 0
        await asyncio.sleep(0.05)
        ahead = len(made)
        assert BUFFER <= ahead <= 2 * BUFFER + 2
        await asyncio.sleep(0.05)
        assert len(made) == ahead
        assert [await anext(pieces) for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_a_quick_generator_takes_few_jobs_and_a_slow_one_hands_over_each_piece() -> None:
    async with Runtime(stall=None) as runtime:
        async for number in count():
            if number == 200:
                break
        (meter,) = runtime.meters.values()
        assert meter.calls < 100
        began = time.monotonic()
        async with count(0.02) as pieces:
            assert await anext(pieces) == 0
        assert time.monotonic() - began < 5


async def test_a_pull_under_way_is_awaited_and_the_generator_closed_on_its_own_thread() -> None:
    async with Runtime(stall=None) as runtime:
        for _ in range(20):
            async with count(0.002) as pieces:
                assert await anext(pieces) == 0
        assert len(closed_on) == 20
        assert threading.main_thread().name not in closed_on
        assert runtime.statistics()["thread"]["abandoned"] == 0


async def test_a_pull_that_outlasts_the_grace_is_abandoned_and_closes_its_generator_when_it_ends() -> None:
    event = threading.Event()

    @tool(grace=0.02)
    def hangs() -> Iterator[int]:
        try:
            yield 1
            time.sleep(0.006)  # so that the first piece is handed over
            yield 2
            event.wait(20)
            yield 3
        finally:
            closed_on.append(threading.current_thread().name)

    async with Runtime(stall=None) as runtime:
        async with hangs() as pieces:
            assert await anext(pieces) == 1
            assert await anext(pieces) == 2
            await asyncio.sleep(0.02)
        for _ in range(500):
            if runtime.statistics()["thread"]["abandoned"]:
                break
            await asyncio.sleep(0.005)
        assert runtime.statistics()["thread"]["abandoned"] == 1
        event.set()
        for _ in range(500):
            if closed_on:
                break
            await asyncio.sleep(0.005)
        assert closed_on
        assert threading.main_thread().name not in closed_on
