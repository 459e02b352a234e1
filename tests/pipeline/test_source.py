"""Sources in memory and asynchronous ones: how they are read, how they end, and what a shutdown leaves."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from linecook import Runtime, agent, as_completed, pipeline, tool
from linecook.errors import BodyExited, Interrupted, UsageError
from linecook.testing import VirtualClock


@agent
async def same(number: int) -> int:
    return number


def counted(read: list[int], most: int = 10**9) -> Iterator[int]:
    for number in range(most):
        read.append(number)
        yield number


async def test_an_async_source_that_never_waits_leaves_the_loop_to_others() -> None:
    turns = 0

    async def numbers() -> AsyncIterator[int]:
        for number in range(5000):
            yield number

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    assert len(await pipeline(numbers()).map(same).collect()) == 5000
    turning.cancel()
    assert turns >= 5000 // 64


async def test_an_iterator_that_was_read_is_not_read_again_without_a_word() -> None:
    made = pipeline(iter([1, 2]))
    longer = made.map(same)
    assert await made.collect() == [1, 2]
    with pytest.raises(UsageError, match="gives its items once"):
        await longer.collect()


async def test_a_block_that_read_nothing_has_not_used_the_source_up() -> None:
    made = pipeline(iter([1, 2]))
    async with made:
        pass
    assert await made.collect() == [1, 2]


async def test_a_stream_of_a_tool_is_a_source() -> None:
    @tool
    async def numbers(most: int) -> AsyncIterator[int]:
        for number in range(most):
            yield number

    assert await pipeline(numbers(3)).map(same, ordered=True).collect() == [0, 1, 2]


async def test_outcomes_of_as_completed_are_a_source() -> None:
    made = pipeline(as_completed([same(1), same(2)])).map(str)
    assert len(await made.collect()) == 2


async def test_a_dict_that_changes_while_it_is_read_ends_it() -> None:
    numbers = dict.fromkeys(range(500))

    async def add(number: int) -> None:
        numbers[number + 1000] = None

    with pytest.raises(RuntimeError, match="changed size"):
        await pipeline(numbers).map(add).collect()


async def test_a_source_that_raises_an_exit_cannot_end_it_quietly() -> None:
    class Quiet:
        def __aiter__(self) -> "Quiet":
            return self

        async def __anext__(self) -> int:
            raise GeneratorExit

    with pytest.raises(BodyExited, match="GeneratorExit"):
        await pipeline(Quiet()).collect()


@pytest.mark.parametrize("kind", ["memory", "thread", "async"])
async def test_when_the_runtime_drains_what_is_inside_comes_out_and_nothing_more_is_read(kind: str) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(10**6):
            yield number

    release = asyncio.Event()

    async def slow(number: int) -> int:
        await release.wait()
        return number

    sources = {"memory": range(10**6), "thread": iter(range(10**6)), "async": numbers()}
    async with Runtime(stall=None) as runtime:
        seen: list[int] = []
        with pytest.raises(Interrupted, match="what was inside has been finished") as caught:
            async with pipeline(sources[kind]).map(slow, workers=3, ordered=True) as results:
                reading = asyncio.ensure_future(anext(results))
                await asyncio.sleep(0.05)
                runtime.drain()
                release.set()
                seen = [await reading]
                async for number in results:
                    seen.append(number)
    assert seen == list(range(len(seen)))
    assert 3 <= len(seen) <= 100
    assert f"after {len(seen)} items" in str(caught.value)


async def test_a_drain_after_the_source_has_ended_interrupts_nobody() -> None:
    release = asyncio.Event()

    async def slow(number: int) -> int:
        await release.wait()
        return number

    async with Runtime(stall=None) as runtime:
        reading = asyncio.ensure_future(pipeline([1, 2]).map(slow, ordered=True).collect())
        await asyncio.sleep(0.01)
        runtime.drain()
        release.set()
        assert await reading == [1, 2]


async def test_when_the_runtime_drains_already_nothing_is_read() -> None:
    read: list[int] = []
    async with Runtime(stall=None) as runtime:
        runtime.drain()
        for source in (counted(read), [1, 2]):
            with pytest.raises(Interrupted, match="after 0 items"):
                await pipeline(source).map(same).collect()
    assert read == []


async def test_a_pipeline_that_reads_a_run_of_another_loses_nothing_when_the_runtime_drains() -> None:
    release = asyncio.Event()

    async def slow(number: int) -> int:
        await release.wait()
        return number

    async with Runtime(stall=None) as runtime:
        out: list[int] = []

        async def read() -> None:
            async with pipeline(range(10**6)).map(slow, workers=3, ordered=True) as inner:
                await pipeline(inner).map(same, ordered=True).into(out)

        reading = asyncio.ensure_future(read())
        await asyncio.sleep(0.02)
        runtime.drain()
        release.set()
        with pytest.raises(Interrupted):
            await reading
    assert len(out) >= 3
    assert out == list(range(len(out)))


@pytest.mark.parametrize("kind", ["hangs in its clean-up", "swallows the request", "fails when it was left"])
async def test_a_source_that_does_not_end_cannot_keep_a_drain_from_its_end(
    kind: str, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It was waited for without end once, as nothing else is."""
    never = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2
        try:
            await never.wait()
        finally:
            if kind != "swallows the request":
                await asyncio.sleep(20)
            if kind == "fails when it was left":
                raise OSError("too late")
            yield 3
            yield 4

    out: list[int] = []
    async with Runtime(stall=None) as runtime:
        reading = asyncio.ensure_future(pipeline(numbers()).map(same, ordered=True).into(out))
        await asyncio.sleep(1)
        began = clock.time()
        runtime.drain()
        with pytest.raises(Interrupted):
            await reading
        assert clock.time() - began < 5
    assert out == ([1, 2, 3] if kind == "swallows the request" else [1, 2])
    await asyncio.sleep(60)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_source_that_fails_when_it_is_closed_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            raise OSError("cannot close")

    async with pipeline(numbers()).map(same) as results:
        assert await anext(results) == 1
    assert "cannot close" in caplog.text
