"""What a call does or waits for, in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from linecook import Limit, Retry, Runtime, agent, charge, gather, resource, scope, settle, tool
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
