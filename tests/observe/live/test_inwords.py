"""What a call does or waits for, in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from linecook import (
    Ask,
    Call,
    Inbox,
    Limit,
    Ref,
    Retry,
    Runtime,
    Topic,
    agent,
    approving,
    charge,
    gather,
    resource,
    scope,
    settle,
    team,
    tool,
)
from linecook.observe import LiveCall
from linecook.observe.live.alive import Numbers
from linecook.observe.live.calls import Look
from linecook.observe.live.showing import show
from tests.aside import aside
from tests.tools.policies.kitchen import Busy


@tool
async def nap() -> None:
    await asyncio.sleep(20)


@tool(limit=1)
async def alone() -> None:
    await asyncio.sleep(20)


@tool(retry=Retry(on=ValueError, wait=20, attempts=4), effect="read")
async def failing() -> None:
    raise ValueError


@agent
async def settles() -> None:
    await settle(nap() for _ in range(3))


@agent
async def gathers() -> None:
    await gather(nap())


@agent
async def scopes() -> None:
    async with scope() as block:
        block.start(nap())


@agent
async def holds() -> None:
    async with scope() as block:
        await block.start(nap())


@agent
async def pieces() -> AsyncIterator[int]:
    await asyncio.sleep(20)
    yield 1


@agent
async def reads() -> None:
    async for _ in pieces():
        pass


@resource
async def database() -> AsyncIterator[int]:
    await asyncio.sleep(20)
    yield 1


@agent
async def uses() -> None:
    await database()


@agent
async def joins() -> None:
    await asyncio.create_task(nap.call())


@agent
async def joins_foreign() -> None:
    await asyncio.create_task(asyncio.sleep(20), name="a long sleep")


@agent
async def queues() -> None:
    await gather(alone(), alone())


def look_at(runtime: Runtime) -> dict[str, LiveCall]:
    look = Look(runtime)
    look.find()
    return {call.path: call for call in show(look, Numbers(), None).calls}


@pytest.mark.parametrize(
    ("function", "waits_for", "what"),
    [
        (settles, "children", "3 calls of settle"),
        (gathers, "children", "1 call of gather"),
        (scopes, "children", "1 call of a scope"),
        (holds, "handle", "holds/scope:0/nap:0"),
        (reads, "stream", "reads/pieces:0"),
        (uses, "resource", "database"),
        (failing, "retry", "attempt 2 of 4"),
        (joins, "task", "joins/nap:0"),
        (joins_foreign, "task", "a long sleep"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_what_is_waited_for_has_its_name(
    function: Callable[[], Coroutine[Any, Any, Any]], waits_for: str, what: str
) -> None:
    async with Runtime(stall=None, drain=0) as runtime:
        handle = runtime.start(function())
        await asyncio.sleep(0.03)
        call = (await aside(look_at, runtime))[function.__name__]
        handle.cancel()
        await handle.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    assert (call.waits_for, call.what) == (waits_for, what)


class Question(Ask[int]):
    pass


@agent
async def sleeper(inbox: Inbox[Question]) -> None:
    async for _ in inbox:
        await asyncio.sleep(20)


@agent
async def asker(inbox: Inbox[Question], other: Ref[Question]) -> None:
    async for message in inbox:
        message.reply(await other.ask(message.body))


async def test_agents_of_a_team_say_whom_they_wait_for() -> None:
    async with Runtime(stall=None, drain=0) as runtime, team(name="office", grace=0) as office:
        busy, idle = office.start(sleeper(), capacity=1), office.start(sleeper())
        asks = office.start(asker(busy))
        tasks = [asyncio.create_task(each) for each in (asks.ask(Question()), fills(busy))]
        await asyncio.sleep(0.03)
        calls = await aside(look_at, runtime)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        del idle
    found = {path: (call.state, call.waits_for, call.what) for path, call in calls.items()}
    assert found["office/sleeper:1"] == ("waiting", "message", "0 taken so far")
    assert found["office/asker:2"] == ("waiting", "reply", "office/sleeper:0, busy, 1 waiting")
    assert found["office/sleeper:0"][:2] == ("waiting", "sleep")
    assert found["office"][0] == "open"
    assert found["filler"] == ("waiting", "room", "office/sleeper:0, busy, 1 waiting, whose mailbox is full")


@agent
async def filler(other: Ref[Question]) -> None:
    for _ in range(5):
        await other.tell(Question())


async def fills(other: Ref[Question]) -> None:
    await filler(other)


async def by_hand(call: Call[Any]) -> bool:
    await asyncio.sleep(20)
    return True


@agent
async def cashier(call: Call[Any]) -> bool:
    await asyncio.sleep(20)
    return True


@tool
async def pay(usd: float) -> float:
    return usd


@agent
async def spends(approve: Callable[..., Any]) -> None:
    with approving(approve):
        await pay(5)


@pytest.mark.parametrize(
    ("approve", "whose"), [(by_hand, "by_hand"), (cashier, "spends/approving:0/approval:1/cashier:0")]
)
async def test_a_call_that_waits_for_an_approval_says_whose(approve: Callable[..., Any], whose: str) -> None:
    async with Runtime(stall=None, drain=0) as runtime:
        runtime.start(spends(approve))
        await asyncio.sleep(0.03)
        calls = await aside(look_at, runtime)
    assert [(call.waits_for, call.what) for call in calls.values() if call.name == "pay"] == [("approval", whose)]


@agent
async def reads(other: Ref[Question]) -> None:
    async with other.stream(Question()) as pieces:
        await anext(pieces)
        await asyncio.sleep(20)


@agent
async def speaker(inbox: Inbox[Question]) -> None:
    async for message in inbox:
        for number in range(100):
            await message.send(number)


@agent
async def stands_by(other: Ref[Question]) -> None:
    await other.wait_closed()


async def test_streams_topics_and_ends_of_agents_are_waited_for_by_name() -> None:
    @agent
    async def listens(topic: Topic[int]) -> None:
        async for _ in topic.subscribe():
            pass

    async with Runtime(stall=None, drain=0) as runtime, team(name="office", grace=0) as office:
        ref = office.start(speaker())
        for call in (reads(ref), stands_by(ref), listens(Topic("news"))):
            runtime.start(call)
        await asyncio.sleep(0.03)
        calls = await aside(look_at, runtime)
    found = {path: (call.waits_for, call.what) for path, call in calls.items()}
    assert found["office/speaker:0"] == ("reader", "16 pieces are not read")
    assert found["stands_by"] == ("agent", "office/speaker:0")
    assert found["listens"] == ("message", "news")


async def test_a_limit_of_a_tools_own_is_named_after_it() -> None:
    async with Runtime(stall=None, drain=0) as runtime:
        runtime.start(queues())
        await asyncio.sleep(0.03)
        (waiting,) = [call for call in (await aside(look_at, runtime)).values() if call.waits_for == "limit"]
    assert waiting.what == "limit=1 of alone: 1 in flight, 1 waiting"


async def test_a_sleep_says_how_long_it_will_last() -> None:
    async with Runtime(stall=None, drain=0) as runtime:
        runtime.start(nap())
        await asyncio.sleep(0.03)
        call = (await aside(look_at, runtime))["nap"]
    assert call.what.endswith(" s left")
    assert 10 < float(call.what.split()[0]) <= 20


async def test_a_call_at_a_limit_says_what_is_used_up_and_when_there_is_room() -> None:
    @tool(limit=Limit(9, name="provider", tokens_in_per_minute=1000, estimate=lambda: (600, 0)))
    async def ask() -> None:
        charge(tokens_in=600)

    async with Runtime(stall=None, drain=0) as runtime:
        await ask()
        runtime.start(ask())
        await asyncio.sleep(0.03)
        (waiting,) = (await aside(look_at, runtime)).values()
    assert waiting.waits_for == "limit"
    assert re.fullmatch(
        r"limit provider: tokens_in_per_minute used up, next in (60|5\d)\.\d s, 0 in flight, 1 waiting", waiting.what
    )


async def test_a_call_at_a_limit_that_is_left_alone_says_for_how_long() -> None:
    @tool(limit=Limit(1, name="hosts", key="host"))
    async def ask(host: str) -> None:
        raise Busy(30)

    async with Runtime(stall=None, drain=0) as runtime:
        await settle([ask("a.example")])
        runtime.start(ask("a.example"))
        await asyncio.sleep(0.03)
        (waiting,) = (await aside(look_at, runtime)).values()
    assert re.fullmatch(
        r"limit hosts\[a.example\]: paused by Retry-After for (30|2\d)\.\d s, 0 in flight, 1 waiting", waiting.what
    )


async def test_a_call_under_two_limits_says_which_one_it_waits_for() -> None:
    many, few = Limit(9, name="many", per_minute=100), Limit(1, name="few")

    @tool(limit=(few, many))
    async def ask() -> None:
        await asyncio.sleep(20)

    async with Runtime(stall=None, drain=0) as runtime:
        runtime.start(gather(ask(), ask()))
        await asyncio.sleep(0.03)
        (waiting,) = [call for call in (await aside(look_at, runtime)).values() if call.waits_for == "limit"]
    assert waiting.what == "limit few: 1 in flight, 1 waiting"
