"""Generators on few threads: none holds a thread while nobody pulls, whatever its reader does meanwhile."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from linecook import Runtime, agent, gather, settle, tool


@tool
def lines(count: int) -> Iterator[int]:
    yield from range(count)


@tool
def slow_lines(count: int) -> Iterator[int]:
    for number in range(count):
        time.sleep(0.002)
        yield number


@tool
def double(number: int) -> int:
    time.sleep(0.001)
    return number * 2


@pytest.mark.parametrize("stream", [lines, slow_lines], ids=["quick", "slow"])
@pytest.mark.parametrize("agents", [4, 16])
async def test_generators_on_as_many_threads_as_there_are_each_followed_by_a_thread_tool(stream, agents: int) -> None:
    @agent
    async def follows() -> int:
        return sum([await double(number) async for number in stream(40)])

    async with Runtime(threads=4, max_threads=4, stall=None) as runtime:
        assert await gather((follows() for _ in range(agents)), timeout=30) == [1560] * agents
        assert runtime.statistics()["thread"]["running"] == 0


async def test_generators_left_half_read_hold_no_thread() -> None:
    async with Runtime(threads=2, max_threads=2, stall=None):
        streams = [lines(10_000) for _ in range(20)]
        firsts = [await anext(stream) for stream in streams]
        assert firsts == [0] * 20
        assert await gather((double(number) for number in range(10)), timeout=30) == list(range(0, 20, 2))
        for stream in streams:
            await stream.aclose()


async def test_a_generator_inside_a_generators_reader_and_so_on_ends() -> None:
    @agent
    async def nested(depth: int) -> int:
        total = 0
        async for number in lines(3):
            total += number + (await nested(depth - 1) if depth else await double(1))
        return total

    async with Runtime(threads=1, max_threads=1, stall=None):
        assert await asyncio.wait_for(nested(2), 30) == await asyncio.wait_for(nested(2), 30)


async def test_a_generator_that_hangs_is_given_up_and_its_neighbours_go_on() -> None:
    @tool(idle_timeout=0.1)
    def hangs() -> Iterator[int]:
        yield 1
        time.sleep(3)
        yield 2

    @agent
    async def reads_hanging() -> int:
        return sum([number async for number in hangs()])

    @agent
    async def reads() -> int:
        return sum([number async for number in lines(100)])

    async with Runtime(threads=4, stall=None):
        outcomes = await settle([reads_hanging(), *(reads() for _ in range(10)), reads_hanging()], timeout=30)
        assert outcomes.results == [4950] * 10
        assert outcomes.counts["timed_out"] == 2
