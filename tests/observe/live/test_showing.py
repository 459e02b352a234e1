"""What is shown of what was found: the longest calls, what they run under, and counts of all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from linecook import Runtime, agent, settle, tool
from linecook.errors import TimedOutError
from linecook.observe import LiveCalls
from linecook.observe.live.alive import Numbers
from linecook.observe.live.calls import Look
from linecook.observe.live.showing import show
from tests.aside import aside

released = threading.Event()


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    released.clear()
    yield
    released.set()


@tool
async def nap() -> None:
    await asyncio.sleep(20)


@tool(timeout=0.02)
def hang() -> None:
    released.wait(20)


@agent
async def reader(_page: int) -> None:
    await nap()


@agent
async def careless() -> None:
    with pytest.raises(TimedOutError):
        await hang()


@agent
async def crowd() -> None:
    await settle((reader(page) for page in range(300)), limit=None)


def look_at(runtime: Runtime, most: int | None) -> LiveCalls:
    look = Look(runtime)
    look.find()
    return show(look, Numbers(), most)


async def test_of_many_calls_the_longest_are_shown_and_all_are_counted() -> None:
    async with Runtime(stall=None, drain=0) as runtime:
        runtime.start(crowd())
        await asyncio.sleep(0.03)
        found = await aside(look_at, runtime, 10)
        everything = await aside(look_at, runtime, None)
        nothing = await aside(look_at, runtime, 0)
    assert found.total == 601
    assert 10 < len(found.calls) <= 22  # with what they run under
    assert {(each.name, each.waits_for): each.count for each in found.counts} == {
        ("reader", "child"): 300, ("nap", "sleep"): 300, ("crowd", "children"): 1
    }  # fmt: skip
    assert sum(call.kind == "call" for call in everything.calls) == 601
    assert (nothing.calls, nothing.counts) == ((), found.counts)


async def test_a_call_that_has_ended_is_shown_with_what_it_left_behind() -> None:
    async with Runtime(stall=None, drain=0) as runtime:
        await runtime.start(careless())
        found = await aside(look_at, runtime, None)
        released.set()
    assert {(call.path, call.state) for call in found.calls} == {
        ("careless", "ended"),
        ("careless/hang:0", "abandoned"),
    }
    assert found.total == 1
