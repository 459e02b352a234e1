"""linecook's own programs under exploration: tools of all lanes, time-outs, resources, runtimes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

import linecook
import linecook.errors
from linecook.testing import explore, outside

BOX = [0]
OPENED = list[str]()


def look() -> None:
    """Do nothing: where a thread can lose its turn."""


@linecook.tool
def add_slowly() -> None:
    before = BOX[0]
    look()
    BOX[0] = before + 1


@linecook.tool(timeout=5)
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@linecook.tool(lane="process")
def square(number: int) -> int:
    return number * number


@linecook.tool(lane="inline")
def double(number: int) -> int:
    return 2 * number


@linecook.tool(limit=1)
async def ask(question: str) -> str:
    return await outside(question)


@linecook.agent
async def reader(number: int) -> int:
    await ask("?")
    return await double(number)


@linecook.resource
async def client() -> AsyncIterator[int]:
    OPENED.append("client")
    yield len(OPENED)
    OPENED.append("client closed")


@linecook.resource(per="process")
def model() -> Iterator[int]:
    OPENED.append("model")
    yield 7
    OPENED.append("model closed")


@linecook.tool(lane="process")
def use_model() -> int:
    return model()


async def races() -> None:
    BOX[0] = 0
    await linecook.gather(add_slowly(), add_slowly())
    assert BOX[0] == 2


async def sleeps() -> None:
    assert await sleep(1) == 1
    try:
        await sleep(60)
    except TimeoutError:
        return
    raise AssertionError("not timed out")


async def agents() -> None:
    assert await linecook.gather(reader(number) for number in range(3)) == [0, 2, 4]
    async with linecook.scope() as scope:
        handle = scope.start(reader(5))
    assert await handle == 10


async def processes() -> None:
    assert sorted([outcome.value async for outcome in linecook.as_completed(square(n) for n in range(3))]) == [0, 1, 4]  # type: ignore[union-attr]


async def resources() -> None:
    assert await client() == 1
    assert await use_model() == 7


def test_a_race_between_thread_tools_is_found() -> None:
    found = explore(races)
    assert found.failure is not None
    assert found.failure.overtakings == 1


def test_a_tool_that_sleeps_takes_virtual_time_and_is_timed_out() -> None:
    began = time.monotonic()
    explore(sleeps, overtakings=0).check()
    assert time.monotonic() - began < 20


def test_agents_scopes_and_limits_run_unchanged() -> None:
    explore(agents, schedules=200).check()


def test_bodies_in_processes_are_answered_in_every_order() -> None:
    found = explore(processes)
    assert found.failure is None
    assert found.schedules >= 6


def test_a_worker_that_dies_costs_a_fault() -> None:
    async def main() -> None:
        try:
            await square(2)
        except linecook.errors.LaneLost as error:
            raise AssertionError(str(error)) from None

    assert explore(main).failure is None
    failure = explore(main, faults=1, fault_kinds=("death",)).failure
    assert failure is not None
    assert failure.faults == 1
    assert "the worker died" in failure.message


def test_resources_are_fresh_in_each_schedule_and_closed_at_its_end() -> None:
    async def main() -> None:
        OPENED.clear()
        await resources()
        await asyncio.gather(outside(), outside())

    found = explore(main).check()
    assert found.schedules > 1
    assert sorted(OPENED) == ["client", "client closed", "model", "model closed"]


def test_notices_are_not_repeated_for_every_schedule(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async for _ in linecook.as_completed([ask("a"), ask("b")]):
            break  # which linecook warns of

    explore(main, schedules=5)
    assert len(caplog.records) <= 1


def test_a_runtime_of_the_programs_own_gets_explored_lanes() -> None:
    async def main() -> None:
        async with linecook.Runtime(threads=2) as runtime:
            assert await sleep(1) == 1
            assert runtime.statistics()["background"] == 0

    explore(main, overtakings=0).check()
