"""An agent is orchestration: it waits for tools and agents, in their order or together, and is itself a call."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linecook import Call, Ok, agent, fail_after, gather, remaining, settle, tool
from linecook._core.context import current_frame, inherited_priority
from linecook.errors import TimedOutError
from linecook.testing import VirtualClock


@tool
def look_up(word: str) -> str:
    return word.upper()


@tool
async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@agent
async def reader(word: str) -> str:
    return await look_up(word)


async def test_an_agent_calls_tools_and_agents() -> None:
    @agent
    async def chief(words: list[str]) -> list[str]:
        return await gather([reader(word) for word in words])

    assert await chief(["a", "b"]) == ["A", "B"]


async def test_an_agent_may_be_given_to_another_as_a_tool() -> None:
    @agent
    async def solve(question: str, tools: list[Any]) -> list[str]:
        return [await ask(question) for ask in tools]

    assert await solve("why", [reader, look_up, reader.options(timeout=5)]) == ["WHY"] * 3


async def test_a_call_of_an_agent_is_a_call() -> None:
    call = reader.call("a")
    assert isinstance(call, Call)
    assert repr(call) == "reader('a')"
    assert not call.is_tool
    assert await call == "A"


async def test_an_agents_timeout_bounds_all_it_does(clock: VirtualClock) -> None:
    @agent(timeout=5)
    async def slow() -> None:
        for _ in range(10):
            await nap(1)

    with pytest.raises(TimedOutError) as caught:
        await slow()
    assert caught.value.whose == "timeout of slow"
    assert clock.time() == pytest.approx(5, abs=0.1)


async def test_an_agent_has_its_grace_to_clean_up(clock: VirtualClock) -> None:
    log: list[str] = []

    @agent(timeout=1, grace=3)
    async def tidy() -> None:
        try:
            await nap(100)
        finally:
            log.append(str(await nap(2)))

    with pytest.raises(TimedOutError):
        await tidy()
    assert log == ["2"]
    assert clock.time() == pytest.approx(3, abs=0.1)


async def test_priority_is_inherited_by_all_that_is_called() -> None:
    seen: list[str] = []

    @tool
    async def leaf() -> None:
        seen.append(inherited_priority(current_frame.get()))

    @agent
    async def middle() -> None:
        await gather(leaf(), leaf.options(priority="interactive")())

    @agent(priority="batch")
    async def top() -> None:
        await middle()

    await top()
    await middle()
    assert seen == ["batch", "interactive", "normal", "interactive"]


async def test_every_agent_of_a_fan_out_has_task_and_context_of_its_own() -> None:
    @agent
    async def who() -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    tasks = await gather([who() for _ in range(20)])
    assert len(set(tasks)) == 20


async def test_an_agent_that_streams_is_read_with_async_for(clock: VirtualClock) -> None:
    @agent(timeout=10)
    async def write(words: list[str]) -> AsyncIterator[str]:
        for word in words:
            await nap(1)
            left = remaining()
            assert left is not None
            yield await look_up(word)

    assert [piece async for piece in write(["a", "b"])] == ["A", "B"]
    with pytest.raises(TimedOutError):
        async for _ in write(["x"] * 20):
            pass


async def test_deadlines_around_an_agent_count_for_it(clock: VirtualClock) -> None:
    @agent
    async def slow() -> None:
        await nap(100)

    with pytest.raises(TimedOutError):
        with fail_after(2):
            await slow()


async def test_agents_under_agents_under_agents_settle(clock: VirtualClock) -> None:
    @agent
    async def dig(depth: int) -> int:
        if depth == 0:
            return 1
        outcomes = await settle((dig(depth - 1) for _ in range(3)), limit=2)
        return sum(outcome.value for outcome in outcomes if isinstance(outcome, Ok))

    assert await dig(5) == 3**5


def test_options_that_make_no_sense_are_refused_at_decoration() -> None:
    with pytest.raises(ValueError, match="timeout of reader"):
        agent(timeout=-1)(reader.body)
    with pytest.raises(ValueError, match="priority='urgent' of reader"):
        agent(priority="urgent")(reader.body)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="lane"):
        agent(lane="thread")(reader.body)  # type: ignore[call-overload]
