"""Resources whose opening fails, hangs, or ends the world: callers are answered, and the next use tries again."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from linecook import Failed, Runtime, TimedOut, agent, fail_after, resource, settle, tool
from linecook.errors import ResourceFailed, TimedOutError


async def test_an_opening_that_fails_is_told_with_its_cause_and_tried_again() -> None:
    tries: list[int] = []

    @resource
    async def web() -> AsyncIterator[str]:
        tries.append(1)
        await asyncio.sleep(0)
        if len(tries) < 3:
            raise ConnectionError("no route")
        yield "client"

    @tool
    async def ask() -> str:
        return await web()

    async with Runtime():
        outcomes = await settle(ask() for _ in range(5))  # one opening for all of them
        assert {type(outcome.error) for outcome in outcomes.failures} == {ResourceFailed}
        assert len(tries) == 1
        assert "web" in str(outcomes.failures[0].error)
        assert isinstance(outcomes.failures[0].error.__cause__, ConnectionError)
        with pytest.raises(ResourceFailed):
            await ask()
        assert await ask() == "client"
        assert len(tries) == 3


async def test_an_opening_that_hangs_costs_each_caller_its_own_deadline_and_the_closing_little() -> None:
    @resource
    async def web() -> AsyncIterator[str]:
        await asyncio.sleep(3600)
        yield "client"

    @tool(timeout=0.05)
    async def ask() -> str:
        return await web()

    began = time.monotonic()
    async with Runtime(stall=None):
        outcomes = await settle(ask() for _ in range(5))
        assert all(isinstance(outcome, TimedOut) for outcome in outcomes)
        with pytest.raises(TimedOutError):
            with fail_after(0.05):
                await web()
    assert time.monotonic() - began < 10


@pytest.mark.slow
async def test_an_opening_that_swallows_its_cancellation_cannot_hang_the_closing() -> None:
    over = asyncio.Event()

    @resource
    async def web() -> AsyncIterator[str]:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                pass
        yield "client"

    @tool(timeout=0.05)
    async def ask() -> str:
        return await web()

    async with asyncio.timeout(20):
        async with Runtime(stall=None):
            assert isinstance((await settle(ask()))[0], TimedOut)
    over.set()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=10)


@pytest.mark.parametrize("lane", ["thread", "process"])
async def test_a_plain_opening_that_fails_is_told_in_its_lane_and_tried_again(lane: str) -> None:
    async with Runtime(threads=1, processes=1):
        use = on_thread if lane == "thread" else in_process
        for _ in range(2):
            outcome = (await settle(use()))[0]
            assert isinstance(outcome, Failed), outcome
            assert isinstance(outcome.error, ResourceFailed)
            assert "could not be opened" in str(outcome.error)
        assert (await use()) == "opened at try 3"


_tries: dict[str, int] = {}


def _third_time_lucky(name: str) -> str:
    _tries[name] = _tries.get(name, 0) + 1
    if _tries[name] < 3:
        raise ConnectionError("no route")
    return f"opened at try {_tries[name]}"


@resource(per="thread")
def of_thread() -> Iterator[str]:
    yield _third_time_lucky("thread")


@resource(per="process")
def of_process() -> Iterator[str]:
    yield _third_time_lucky("process")


@tool
def on_thread() -> str:
    return of_thread()


@tool(lane="process")
def in_process() -> str:
    return of_process()


@pytest.mark.slow
async def test_a_plain_opening_that_hangs_is_abandoned_with_its_thread_and_the_others_have_their_own() -> None:
    hung: list[int] = []

    @resource(per="thread")
    def session() -> Iterator[int]:
        hung.append(1)
        if len(hung) == 1:
            time.sleep(3)
        yield len(hung)

    @tool(timeout=0.1)
    def ask() -> int:
        return session()

    async with Runtime(threads=1, stall=None):
        outcome = (await settle(ask()))[0]
        assert isinstance(outcome, TimedOut)
        assert outcome.work == "abandoned"
        assert await ask.options(timeout=10)() == 2


async def test_an_opening_that_hangs_for_the_whole_runtime_does_not_freeze_the_loop() -> None:
    @resource
    def pool() -> Iterator[str]:
        time.sleep(0.4)
        yield "pool"

    @tool(timeout=0.1)
    def ask() -> str:
        return pool()

    @agent
    async def both() -> str:
        outcomes = await settle(ask() for _ in range(3))
        assert all(isinstance(outcome, TimedOut) for outcome in outcomes)
        return await ask.options(timeout=10)()

    async with Runtime(threads=4, stall=None):
        assert await both() == "pool"


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, StopIteration])
async def test_an_opening_that_ends_the_world_is_contained(ending: type[BaseException]) -> None:
    @resource
    async def web() -> AsyncIterator[str]:
        if ending:
            raise ending("mine")
        yield "client"

    @tool(timeout=5)
    async def ask() -> str:
        return await web()

    async with Runtime():
        outcome = (await settle(ask()))[0]
        assert isinstance(outcome, Failed), outcome
        assert "mine" in repr(outcome.error) + repr(outcome.error.__cause__)


async def test_a_closing_that_fails_is_raised_and_the_others_close_nevertheless() -> None:
    closed: list[str] = []

    @resource
    async def web() -> AsyncIterator[str]:
        yield "web"
        closed.append("web")

    @resource
    async def bad() -> AsyncIterator[str]:
        yield "bad"
        closed.append("bad")
        raise ConnectionError("lost")

    @resource
    def plain() -> Iterator[str]:
        yield "plain"
        closed.append("plain")

    with pytest.raises(ConnectionError, match="lost"):
        async with Runtime():
            assert (await web(), await bad(), plain()) == ("web", "bad", "plain")
    assert closed == ["plain", "bad", "web"]


async def test_a_resource_that_yields_nothing_says_so() -> None:
    @resource
    async def web() -> AsyncIterator[str]:
        if not web:
            yield "never"

    async with Runtime():
        with pytest.raises(ResourceFailed, match="web"):
            await web()
