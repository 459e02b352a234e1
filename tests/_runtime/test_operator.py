"""Cancelling one call from outside: that one, and no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from linecook import Cancelled, Ok, Retry, Runtime, Settled, agent, scope, settle, tool
from linecook._runtime import operator
from linecook._runtime.operator import NoSuchCall, NotNow, cancel
from linecook.errors import CallError
from linecook.observe import CancelledCall
from linecook.observe.live import asking
from linecook.observe.live.alive import Numbers
from tests.aside import aside, begin_aside
from tests.lanes import process_bodies
from tests.looked_into import until

released = threading.Event()


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    released.clear()
    yield
    released.set()


@tool
def block() -> str:
    released.wait(20)
    return "ran to its end"


@tool(retry=Retry(on=Exception, wait=0.001, attempts=5), limit=1, effect="read")
def block_again() -> None:
    released.wait(20)


@tool
async def nap(seconds: float = 20) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@agent
async def reader(page: int) -> str:
    return await nap(20 if page == 1 else 0.15)


@agent(timeout=30)
async def bounded() -> None:
    await nap()


@agent
async def careful(inner: Any) -> str:
    try:
        await inner()
    except CallError as error:
        return f"went on after {type(error).__name__}: {error}"
    return "nothing happened"


async def end(runtime: Runtime, target: str, reason: str = "") -> CancelledCall:
    await asyncio.sleep(0.03)
    return await aside(cancel, [runtime], Numbers(), target, reason)


def quiet() -> Runtime:
    return Runtime(stall=None, drain=0)


async def test_one_item_of_a_fan_out_ends_and_its_siblings_go_on() -> None:
    async with quiet() as runtime:

        @agent
        async def all_of_them() -> Settled[str]:
            return await settle(reader(page) for page in range(3))

        handle = runtime.start(all_of_them())
        ended = await end(runtime, "all_of_them/settle:0/reader[1]")
        assert (ended.ended, ended.work, ended.told) == (True, "stopped", "it has ended as Cancelled")
        outcomes = await handle
    assert [type(outcome) for outcome in outcomes] == [Ok, Cancelled, Ok]


async def test_a_call_of_a_scope_ends_with_the_operators_words() -> None:
    async with quiet() as runtime, scope() as block_of_calls:
        handle = block_of_calls.start(nap())
        await end(runtime, "scope/nap:0", "stuck since noon")
        assert await handle.wait() == Cancelled("operator: stuck since noon")


@pytest.mark.parametrize(
    ("inner", "work"), [(block, "abandoned"), (block_again, "abandoned"), (nap, "stopped"), (bounded, "stopped")]
)
async def test_whoever_awaits_it_goes_on_with_an_error(inner: Any, work: str) -> None:
    async with quiet() as runtime:
        handle = runtime.start(careful(inner))
        ended = await end(runtime, f"careful/{inner.__name__}:0", "enough")
        assert (ended.ended, ended.work, ended.told) == (True, work, "whoever awaits it got an error")
        assert "operator: enough" in await handle


async def test_a_call_that_waits_for_a_limit_leaves_the_queue() -> None:
    async with quiet() as runtime:
        first = runtime.start(careful(block_again))
        await asyncio.sleep(0.02)
        second = runtime.start(careful(block_again))
        await asyncio.sleep(0.02)

        def waiting() -> str:
            from linecook.observe.live.calls import Look

            look, numbers = Look(runtime), Numbers()
            look.find()
            (found,) = [each for each in look.alive.values() if each.state[1] == "limit"]
            return cancel([runtime], numbers, str(numbers.of(found.frame)[0]), "").work

        assert await aside(waiting) == "not started"
        assert "went on" in await second
        assert not first.done
        assert next(iter(runtime.statistics()["limits"].values()))["waiting"] == 0
        released.set()
        assert await first == "nothing happened"


async def test_a_body_in_a_process_is_stopped_with_its_worker() -> None:
    crunch = tool(lane="process")(process_bodies.nap)
    async with Runtime(stall=None, drain=0, processes=1) as runtime:
        handle = runtime.start(careful(lambda: crunch(20.0)))
        statistics = runtime.statistics
        while statistics().get("process", {}).get("running", 0) == 0 or statistics()["process"]["starting"]:
            await asyncio.sleep(0.01)
        ended = await end(runtime, "careful/nap:0")
        assert ended.ended
        assert "went on" in await handle
        assert runtime.statistics()["process"]["killed"] + (ended.work == "not started") == 1


async def test_a_call_that_waits_in_somebody_elses_task_is_refused_with_those_that_can_be_ended() -> None:
    @agent
    async def middle() -> None:
        await nap()

    async with quiet() as runtime:
        handle = runtime.start(careful(middle))
        with pytest.raises(NotNow) as refused:
            await end(runtime, "careful/middle:0")
        assert str(refused.value).endswith("Cancel careful (with it), or careful/middle:0/nap:0")
        assert not handle.done


async def test_who_is_not_there_cannot_be_cancelled() -> None:
    async with quiet() as runtime:
        with pytest.raises(NoSuchCall, match="no call with the path nobody is under way"):
            await end(runtime, "nobody")
        with pytest.raises(NoSuchCall, match="no call with the number 77"):
            await end(runtime, "77")


async def test_of_several_with_one_path_their_numbers_are_told() -> None:
    async with quiet() as runtime:
        runtime.start(nap())
        runtime.start(nap())
        with pytest.raises(NoSuchCall, match=r"2 calls have the path nap: give the number of one \(\d+, \d+\)"):
            await end(runtime, "nap")


async def test_a_thread_given_up_before_cannot_be_cancelled() -> None:
    hang = block.options(timeout=0.01)
    async with quiet() as runtime:

        @agent
        async def lets_go() -> None:
            with pytest.raises(CallError):
                await hang()
            await asyncio.sleep(20)

        runtime.start(lets_go())
        await asyncio.sleep(0.03)
        with pytest.raises(NotNow, match="was given up before; a thread can't be stopped"):
            await end(runtime, "lets_go/block:0")


async def test_one_that_swallows_the_request_is_said_to_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "_PATIENCE", 0.05)

    @agent
    async def stubborn() -> None:
        while not released.is_set():
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                pass

    async with quiet() as runtime:
        runtime.start(stubborn())
        ended = await end(runtime, "stubborn")
        assert (ended.ended, ended.work) == (False, "running")
        assert "asked to end, and has not within 0.05 s" in ended.told
        released.set()


async def test_while_the_loop_stands_still_nothing_is_cancelled_not_even_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "BEGIN", 0.02)
    async with quiet() as runtime:
        handle = runtime.start(nap(0.2))
        await asyncio.sleep(0.01)
        asked = begin_aside(cancel, [runtime], Numbers(), "nap", "")
        until(lambda: False, 0.1)  # blocks the loop
        with pytest.raises(NotNow, match=r"nothing was cancelled.*not turned.*time\.sleep"):
            await asked
        assert await handle == "slept"
