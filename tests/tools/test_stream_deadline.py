"""What a stream whose deadline has passed says of its time."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from linecook import Runtime, scope, tool
from linecook.errors import TimedOutError
from linecook.testing import VirtualClock


@tool(idle_timeout=2, limit=1)
async def count(many: int, delay: float) -> AsyncIterator[int]:
    for number in range(many):
        await asyncio.sleep(delay)
        yield number


async def test_a_stream_that_waits_for_a_limit_is_told_as_queued(clock: VirtualClock) -> None:
    """It was told as 0 s queued: of a wait that isn't over the call hadn't heard."""
    async with count(9, 1.5) as first:
        await anext(first)
        with pytest.raises(TimedOutError) as late:
            await anext(count(1, 0))
    assert str(late.value).startswith(
        "count(1, 0) made no piece within idle_timeout=2 s; 0 pieces before, none for 2 s; "
    )
    assert str(late.value).partition("; in all ")[2].startswith("2 s queued + 0 s running")
    assert (round(late.value.queued, 3), late.value.running, late.value.work) == (2.0, 0.0, "not started")


async def test_the_wait_for_a_limit_and_the_silence_are_told_apart(clock: VirtualClock) -> None:
    async with count(9, 1.5) as first:
        await anext(first)
        second = asyncio.ensure_future(anext(count(1, 10)))
        await asyncio.sleep(1.5)
    with pytest.raises(TimedOutError, match=r"0 pieces before, none for 2 s; in all 1\.5 s queued \+ 0\.5 s running"):
        await second


async def test_silence_is_counted_from_when_the_reader_began_to_wait(clock: VirtualClock) -> None:
    @tool(idle_timeout=2)
    async def stops() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(100)

    async with stops() as pieces:
        await anext(pieces)
        await asyncio.sleep(5)
        with pytest.raises(TimedOutError, match=r"1 piece before, none for 2 s; in all 0 s queued \+ 7 s running"):
            await anext(pieces)


async def test_a_pull_that_waits_for_a_thread_is_told_as_queued() -> None:
    began, event = threading.Event(), threading.Event()

    @tool
    def hold() -> None:
        began.set()
        event.wait(20)

    @tool(idle_timeout=0.05)
    def pieces() -> Iterator[int]:
        yield 1

    async with Runtime(threads=1, max_threads=1, stall=None), scope() as inside:
        inside.start(hold())
        await wait_set(began)
        with pytest.raises(TimedOutError) as late:
            await anext(pieces())
        event.set()
    assert late.value.queued >= 0.04
    assert late.value.running < late.value.queued


async def test_the_wait_of_a_pull_for_a_thread_counts_as_queued() -> None:
    began, event = threading.Event(), threading.Event()

    @tool
    def hold() -> None:
        began.set()
        event.wait(20)

    @tool
    def pieces() -> Iterator[int]:
        yield 1

    async with Runtime(threads=1, max_threads=1, stall=None), scope() as inside:
        inside.start(hold())
        await wait_set(began)
        asyncio.get_running_loop().call_later(0.05, event.set)
        async with pieces() as waiting:
            assert [piece async for piece in waiting] == [1]
    assert waiting.call.times.queued >= 0.04


async def wait_set(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.001)
