"""Who is alive: the calls of a runtime, found from another thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from linecook import Limit, Runtime, agent, fail_after, scope, settle, tool
from linecook.errors import TimedOutError
from linecook.observe import LiveCall, LiveCalls
from linecook.observe.live import asking
from linecook.observe.live.alive import Numbers
from linecook.observe.live.calls import Look, meant_by
from linecook.observe.live.showing import show
from tests.aside import aside, begin_aside

released = threading.Event()
kitchen = Limit(1, name="stove")


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    released.clear()
    yield
    released.set()


@tool
def block() -> None:
    released.wait(20)


@tool(timeout=0.02)
def hang() -> None:
    released.wait(20)


@tool(limit=kitchen)
async def cook() -> None:
    await asyncio.sleep(20)


@tool
async def nap() -> None:
    await asyncio.sleep(20)


@agent
async def reader(_page: int) -> None:
    await nap()


def look_at(runtime: Runtime, most: int | None = None, numbers: Numbers | None = None) -> LiveCalls:
    look = Look(runtime)
    look.find()
    return show(look, numbers or Numbers(), most)


def by_path(calls: LiveCalls) -> dict[str, LiveCall]:
    return {call.path: call for call in calls.calls}


class Kitchen:
    """A runtime with calls under way in it."""

    def __init__(self, *calls: Coroutine[Any, Any, Any]) -> None:
        self._calls = calls
        self.runtime = Runtime(stall=None, drain=0)

    async def __aenter__(self) -> Runtime:
        await self.runtime.__aenter__()
        for call in self._calls:
            self.runtime.start(call)
        await asyncio.sleep(0.03)
        return self.runtime

    async def __aexit__(self, *_: object) -> None:
        released.set()
        await self.runtime.__aexit__()


async def test_the_tree_of_calls_is_whole() -> None:
    @agent
    async def briefing() -> None:
        async with scope() as block:
            block.start(nap())
            await settle(reader(page) for page in range(2))

    async with Kitchen(briefing()) as runtime:
        calls = by_path(await aside(look_at, runtime))
    assert set(calls) == {
        "briefing",
        "briefing/scope:0",
        "briefing/scope:0/nap:0",
        "briefing/settle:1",
        *(f"briefing/settle:1/reader[{page}]" for page in range(2)),
        *(f"briefing/settle:1/reader[{page}]/nap:0" for page in range(2)),
    }
    numbers = {call.id: call for call in calls.values()}
    above = {path: numbers[call.parent].path for path, call in calls.items() if call.parent is not None}
    assert all(path.startswith(f"{parent}/") for path, parent in above.items())
    assert (calls["briefing"].children, calls["briefing/settle:1"].children) == (2, 2)
    assert (calls["briefing/settle:1"].kind, calls["briefing"].kind) == ("block", "call")


async def test_each_says_what_it_does_and_where() -> None:
    async with Kitchen(block(), cook(), cook(), reader(1)) as runtime:
        calls = by_path(await aside(look_at, runtime))
        told = {call.name: call for call in (await aside(look_at, runtime)).calls}
    assert (calls["block"].state, calls["block"].lane) == ("running", "thread")
    assert calls["block"].what.startswith("thread linecook-thread")
    assert calls["block"].place.endswith("in block")
    assert "test_calls.py:" in calls["block"].place
    assert (calls["reader"].waits_for, calls["reader"].what) == ("child", "reader/nap:0")
    assert (calls["reader/nap:0"].waits_for, calls["reader/nap:0"].state) == ("sleep", "waiting")
    assert told["cook"].path == "cook"


async def test_waiting_for_a_limit_is_told_with_its_counts() -> None:
    async with Kitchen(cook(), cook()) as runtime:
        found = await aside(look_at, runtime)
    (waiting,) = [call for call in found.calls if call.waits_for == "limit"]
    assert waiting.what == "limit stove: 1 in flight, 1 waiting"
    assert waiting.exact
    assert 0 < waiting.seconds < 10
    assert waiting.attempt == 0


async def test_how_long_and_how_long_still() -> None:
    @agent
    async def bounded() -> None:
        with fail_after(10):
            await settle([block()], timeout=5)

    async with Kitchen(bounded()) as runtime:
        calls = by_path(await aside(look_at, runtime))
    whole, inner = calls["bounded"], calls["bounded/settle:0/block[0]"]
    assert whole.seconds >= inner.seconds > 0
    assert whole.deadline_left == pytest.approx(10, abs=3)
    assert inner.deadline_left == pytest.approx(5, abs=3)


async def test_time_that_nobody_took_is_said_to_be_a_lower_bound() -> None:
    async with Kitchen(reader(1)) as runtime:
        numbers = Numbers()
        first = by_path(await aside(look_at, runtime, None, numbers))["reader/nap:0"]
        await asyncio.sleep(0.03)
        second = by_path(await aside(look_at, runtime, None, numbers))["reader/nap:0"]
    assert (first.exact, second.exact) == (False, False)
    assert second.seconds >= first.seconds + 0.02
    assert first.id == second.id


async def test_a_thread_that_was_given_up_is_there_still() -> None:
    @agent
    async def careless() -> None:
        with pytest.raises(TimedOutError):
            await hang()
        await asyncio.sleep(20)

    async with Kitchen(careless()) as runtime:
        await asyncio.sleep(0.05)
        calls = by_path(await aside(look_at, runtime))
    lost = calls["careless/hang:0"]
    assert (lost.state, lost.deadline_left) == ("abandoned", None)
    assert lost.place.endswith("in hang")
    assert calls["careless"].waits_for == "sleep"


@pytest.mark.slow
async def test_a_loop_that_stands_still_is_looked_at_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "BEGIN", 0.03)

    @agent
    async def blocker() -> None:
        await asyncio.sleep(0.08)
        time.sleep(0.4)  # which stops the loop

    async with Kitchen(blocker(), reader(1)) as runtime:
        await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        looking = begin_aside(lambda: (time.sleep(0.1), look_at(runtime))[1])
        found = await looking
    assert found.stands_still is not None
    assert "time.sleep(0.4)" in found.stands_still
    calls = by_path(found)
    assert (calls["blocker"].state, calls["blocker"].what) == ("running", "the event loop")
    assert calls["reader/nap:0"].waits_for == "sleep"


def test_a_loop_that_does_not_run_is_said_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "BEGIN", 0.02)
    loop = asyncio.new_event_loop()
    try:

        async def opened() -> Runtime:
            runtime = Runtime(stall=None, drain=0).open()
            runtime.start(reader(1))
            await asyncio.sleep(0.01)
            return runtime

        runtime = loop.run_until_complete(opened())
        found = look_at(runtime)  # between two steps of a notebook, say
        loop.run_until_complete(runtime.aclose())
    finally:
        loop.close()
    assert found.stands_still == "the event loop isn't running just now"
    assert by_path(found)["reader"].what == "reader/nap:0"


@pytest.mark.slow
async def test_ten_thousand_agents_are_counted_while_the_loop_goes_on() -> None:
    @agent
    async def crowd() -> None:
        await settle((reader(page) for page in range(10_000)), limit=None)

    async with Kitchen(crowd()) as runtime:
        while len(asyncio.all_tasks()) < 10_000:
            await asyncio.sleep(0.05)
        looking = begin_aside(look_at, runtime, 50)
        latest = 0.0
        while not looking.done():
            asked = time.monotonic()
            await asyncio.sleep(0)
            latest = max(latest, time.monotonic() - asked)
        found = await looking
    assert found.total == 20_001
    assert {(each.name, each.count) for each in found.counts} == {("reader", 10_000), ("nap", 10_000), ("crowd", 1)}
    assert latest < 1.0  # a slice takes 4 ms; the rest is what else the machine has to do


async def test_a_call_asked_to_end_is_marked() -> None:
    @agent
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                if released.is_set():
                    raise

    async with Runtime(stall=None, drain=0) as runtime:
        handle = runtime.start(stubborn())
        await asyncio.sleep(0.01)
        handle.cancel()
        await asyncio.sleep(0.01)
        assert by_path(await aside(look_at, runtime))["stubborn"].ending
        released.set()


async def test_a_call_is_meant_by_its_number_or_by_its_path() -> None:
    numbers = Numbers()

    def mean(target: str) -> list[str]:
        look = Look(runtime)
        look.find()
        return [each.frame.path for each in meant_by(look, numbers, target)]

    async with Kitchen(reader(1), block(), block()) as runtime:
        number = by_path(await aside(look_at, runtime, None, numbers))["reader/nap:0"].id
        assert await aside(mean, str(number)) == ["reader/nap:0"]
        assert await aside(mean, "reader") == ["reader"]
        assert await aside(mean, "block") == ["block", "block"]
        assert await aside(mean, "nobody") == await aside(mean, "99999") == []
