"""Lazy sources: pulled on threads, no faster than needed, and closed when nobody wants more."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linecook import Runtime, agent, budget, charge, pipeline, tool
from linecook.errors import BodyExited, Interrupted
from linecook.pipeline.pulled import CHUNK


@agent
async def same(number: int) -> int:
    return number


def counted(read: list[int], most: int = 10**9) -> Iterator[int]:
    for number in range(most):
        read.append(number)
        yield number


async def test_a_lazy_source_is_pulled_on_a_thread() -> None:
    threads: list[threading.Thread] = []

    def numbers() -> Iterator[int]:
        threads.append(threading.current_thread())
        yield 1

    assert await pipeline(numbers()).collect() == [1]
    assert threads[0] is not threading.current_thread()


async def test_an_endless_lazy_source_is_read_ahead_by_a_handful_of_items() -> None:
    read: list[int] = []
    async with pipeline(counted(read)).map(same, workers=2) as results:
        assert await anext(results) == 0
        await asyncio.sleep(0.02)
        assert len(read) <= 2 * CHUNK


async def test_large_items_are_not_read_ahead() -> None:
    read: list[int] = []
    pages = (bytes(1000) for _ in counted(read))

    async def stuck(page: bytes) -> bytes:
        await asyncio.sleep(3600)
        return page

    async with pipeline(pages, max_bytes=5000).map(stuck, workers=1) as results:
        waiting = asyncio.ensure_future(anext(results))
        await asyncio.sleep(0.05)
        waiting.cancel()
        assert len(read) <= 5 + 5 + 1


async def test_a_source_that_cannot_begin_says_so() -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise OSError("no such disk")

    with pytest.raises(OSError, match="no such disk") as caught:
        await pipeline(Broken()).collect()
    assert "raised by the pipeline's input, after 0 items" in caught.value.__notes__


async def test_a_source_that_blocks_for_ever_does_not_keep_a_reader_that_leaves() -> None:
    never = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        never.wait(20)
        yield 2

    began = time.monotonic()
    async with pipeline(numbers()).map(same) as results:
        assert await anext(results) == 1
    took = time.monotonic() - began
    never.set()
    assert took < 10


async def test_an_item_that_was_read_does_not_wait_for_the_next() -> None:
    go_on = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        go_on.wait(20)  # until the first is out
        yield 2

    async with pipeline(numbers()).map(same) as results:
        assert await anext(results) == 1
        go_on.set()
        assert await anext(results) == 2


async def test_an_agent_that_may_call_certain_tools_may_read_a_lazy_input() -> None:
    """It was refused once, as a call of a tool named "pull"; so was the closing of the generator."""
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    @tool
    async def fetch(number: int) -> int:
        return number

    def numbers() -> Iterator[int]:
        try:
            yield from range(10**6)
        finally:
            loop.call_soon_threadsafe(closed.set)

    source = numbers()

    @agent(tools=[fetch])
    async def reader() -> int:
        async with pipeline(source).map(fetch, workers=1) as results:
            return await anext(results)

    assert await reader() == 0
    async with asyncio.timeout(20):
        await closed.wait()


async def test_reading_a_lazy_input_is_no_call_of_a_budget_but_what_it_charges_counts() -> None:
    def numbers() -> Iterator[int]:
        for number in range(3):
            charge(usd=0.25)
            yield number

    with budget(calls=3, usd=1.0) as spent:
        assert len(await pipeline(numbers()).map(same).collect()) == 3
        assert (spent.left.calls, spent.left.usd) == (0, 0.25)


async def test_a_pull_that_somebody_cancels_ends_it() -> None:
    cancelled = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        cancelled.wait(20)  # so a pull is under way when the reader has the first item, however late that is
        yield 2

    with pytest.raises(BodyExited, match="CancelledError"):
        async for _ in pipeline(numbers()).map(same):
            for task in asyncio.all_tasks():
                if "_pull_once" in repr(task):
                    task.cancel()
            cancelled.set()


async def test_a_drain_closes_the_generator_before_it_is_told() -> None:
    """Found by exploring: nobody waited for that, so the loop ended in the middle of the generator's clean-up."""
    closed: list[bool] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10**6)
        finally:
            time.sleep(0.05)
            closed.append(True)

    async with Runtime(stall=None) as runtime:
        made = pipeline(numbers()).map(same, workers=1)
        async with made as results:
            await anext(results)
            await asyncio.sleep(0.02)  # the pull has ended: there is no room for more
            runtime.drain()
            with pytest.raises(Interrupted):
                async for _ in results:
                    pass
            assert closed == [True]


async def test_a_generator_is_closed_though_no_thread_of_the_lane_comes_free() -> None:
    """Found by exploring: the job that was to close it was given up after its grace, and nobody closed it."""
    loop, never, closed = asyncio.get_running_loop(), threading.Event(), asyncio.Event()

    def numbers() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(1000)
        finally:
            loop.call_soon_threadsafe(closed.set)

    @tool
    def block() -> None:
        never.wait(20)

    source = numbers()  # held here, so that it isn't just dropped
    async with Runtime(stall=None, threads=1, max_threads=1):
        async with pipeline(source, max_bytes=1000, grace=0.02) as results:
            await anext(results)
            await asyncio.sleep(0.02)
            blocking = asyncio.create_task(block())
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await closed.wait()
        never.set()
        await blocking


async def test_the_report_calls_a_source_by_its_own_name_and_advises_it_nothing(tmp_path: Path) -> None:
    def numbers() -> Iterator[int]:
        yield from range(5000)

    path = tmp_path / "pages.txt"
    path.write_text("a\nb\n")
    async with Runtime() as runtime:
        await pipeline(numbers()).map(same).collect()
        others: list[Any] = [map(abs, range(3)), path.open()]
        for source in others:
            await pipeline(source).map(same).collect()
        others[1].close()
        report = runtime.report()
    assert {"source numbers", "source map", "source pages.txt"} <= {row.name for row in report.rows}
    assert not any(line.startswith("source ") or "Puller" in line for line in (*report.advice, str(report)))
