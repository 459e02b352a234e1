"""Clocks as the caller sees them, in every lane: answered on time, told what took so long and what became of it."""

import asyncio
import gc
import logging
import re
import threading
import time
from contextvars import ContextVar
from typing import Any

import pytest

from linecook import Ok, Runtime, TimedOut, agent, fail_after, gather, move_on_after, remaining, settle, tool
from linecook.errors import BodyExited, CallCancelled, TimedOutError
from linecook.testing import VirtualClock
from tests.tools import process_tools


@tool(timeout=1)
async def nap(seconds: float = 100.0) -> str:
    await asyncio.sleep(seconds)
    return "rested"


@tool(timeout=0.05)
def block(event: threading.Event) -> str:
    event.wait(30)
    return "let go"


# -- timeout: the whole call --------------------------------------------------------------------------------------


async def test_a_call_that_ends_in_time_returns_its_value(clock: VirtualClock) -> None:
    assert await nap(0.5) == "rested"


async def test_an_async_body_is_stopped_at_its_deadline(clock: VirtualClock) -> None:
    with pytest.raises(TimedOutError) as caught:
        await nap()
    error = caught.value
    assert clock.time() == pytest.approx(1, abs=0.01)
    assert (error.work, error.after, error.whose, error.attempt) == ("stopped", 1, "timeout of nap", 1)
    assert isinstance(error, TimeoutError)
    assert re.match(r"nap\(\) did not end within timeout=1 s: \S+ s queued for lane loop \+ \S+ s running", str(error))


async def test_timeout_zero_lets_through_what_never_waits(clock: VirtualClock) -> None:
    @tool(timeout=0)
    async def at_once() -> str:
        return "now"

    assert await at_once() == "now"
    with pytest.raises(TimedOutError):
        await nap.options(timeout=0)()


async def test_timeout_none_has_no_limit_of_its_own(clock: VirtualClock) -> None:
    assert await nap.options(timeout=None)(10_000) == "rested"


async def test_an_infinite_timeout_never_fires(clock: VirtualClock) -> None:
    assert await nap.options(timeout=float("inf"), attempt_timeout=float("inf"))(10_000) == "rested"


async def test_the_clean_up_of_a_stopped_body_is_awaited_within_its_grace(clock: VirtualClock) -> None:
    log: list[str] = []

    @tool(timeout=1, grace=2)
    async def tidy() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1.5)
            log.append("tidied")

    with pytest.raises(TimedOutError) as caught:
        await tidy()
    assert log == ["tidied"]
    assert clock.time() == pytest.approx(2.5, abs=0.01)
    assert caught.value.work == "stopped"


@pytest.mark.leaves("tasks")  # one that swallows every cancellation: the subject
async def test_a_body_that_swallows_cancellation_is_answered_by_deadline_plus_grace_and_reported(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    over = asyncio.Event()

    @tool(timeout=1, grace=0.5)
    async def stubborn() -> None:
        while not over.is_set():
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                continue

    with pytest.raises(TimedOutError) as caught:
        await stubborn()
    assert clock.time() == pytest.approx(1.5, abs=0.01)
    assert caught.value.work == "abandoned"
    assert "abandoned" in str(caught.value)
    await asyncio.sleep(3)
    (record,) = caplog.records
    assert "stubborn() was asked 3 times to end and runs on" in record.getMessage()
    assert f"{__file__}" in record.getMessage()
    over.set()


async def test_a_failure_in_the_clean_up_is_not_lost(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    @tool(timeout=1)
    async def clumsy() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise RuntimeError("dropped the pan")

    with pytest.raises(TimedOutError):
        await clumsy()
    (record,) = caplog.records
    assert "clumsy() was cancelled, and failed in its clean-up" in record.getMessage()
    assert record.exc_info is not None
    assert "dropped the pan" in str(record.exc_info[1])


async def test_an_own_error_in_time_is_raised_as_it_is(clock: VirtualClock) -> None:
    @tool(timeout=1)
    async def burn() -> None:
        await asyncio.sleep(0.5)
        raise KeyError("burnt")

    with pytest.raises(KeyError, match="burnt"):
        await burn()


async def test_a_thread_that_blocks_is_abandoned_counted_and_named() -> None:
    event = threading.Event()
    async with Runtime(stall=None) as runtime:
        start = time.monotonic()
        with pytest.raises(TimedOutError) as caught:
            await block(event)
        assert time.monotonic() - start < 5
        assert caught.value.work == "abandoned"
        assert "Its thread runs on, abandoned; its result will be dropped." in str(caught.value)
        assert runtime.statistics()["thread"]["abandoned"] == 1
        event.set()
        while runtime.statistics()["thread"]["abandoned"]:
            await asyncio.sleep(0.005)


async def test_a_call_still_queued_at_its_deadline_says_so() -> None:
    event = threading.Event()
    async with Runtime(threads=1, max_threads=1, stall=None) as runtime:
        first = asyncio.create_task(block.options(timeout=None)(event))
        while not runtime.statistics().get("thread", {}).get("running"):
            await asyncio.sleep(0.001)
        with pytest.raises(TimedOutError) as caught:
            await block(event)
        error = caught.value
        assert (error.work, error.attempt) == ("not started", 1)
        assert error.queued >= 0.04
        assert error.running == 0.0
        assert "It never began." in str(error)
        event.set()
        assert await first == "let go"


@pytest.mark.slow
async def test_a_process_that_spins_is_killed() -> None:
    async with Runtime(processes=1, stall=None):
        assert await process_tools.add(1, 2) == 3
        start = time.monotonic()
        with pytest.raises(TimedOutError) as caught:
            await process_tools.spin()
        assert time.monotonic() - start < 10
        assert caught.value.work == "stopped"
        assert "lane process" in str(caught.value)
        assert await process_tools.add(3, 4) == 7


async def test_a_body_that_makes_time_out_errors_of_its_own_is_not_mistaken_for_a_deadline() -> None:
    @tool(timeout=5)
    async def asks() -> None:
        raise TimeoutError("the server's")

    with pytest.raises(TimeoutError, match="the server's") as caught:
        await asks()
    assert not isinstance(caught.value, TimedOutError)


# -- attempt_timeout: from the moment the body starts -------------------------------------------------------------


@pytest.mark.slow
async def test_a_queued_body_is_not_charged_for_its_wait() -> None:
    @tool(attempt_timeout=0.2)
    def short(event: threading.Event) -> str:
        return "short"

    event = threading.Event()
    async with Runtime(threads=1, max_threads=1, stall=None) as runtime:
        first = asyncio.create_task(block.options(timeout=None)(event))
        while not runtime.statistics().get("thread", {}).get("running"):
            await asyncio.sleep(0.001)
        queued = asyncio.create_task(short(event))
        await asyncio.sleep(0.4)
        assert not queued.done()
        event.set()
        assert await queued == "short"
        assert await first == "let go"


async def test_an_attempt_on_a_thread_ends_at_its_own_deadline() -> None:
    event = threading.Event()
    async with Runtime(stall=None):
        with pytest.raises(TimedOutError) as caught:
            await block.options(timeout=None, attempt_timeout=0.05)(event)
        assert caught.value.whose == "attempt_timeout of block"
        assert caught.value.work == "abandoned"
        assert caught.value.running >= 0.04
        event.set()


async def test_an_attempt_on_the_loop_ends_at_its_own_deadline(clock: VirtualClock) -> None:
    with pytest.raises(TimedOutError) as caught:
        await nap.options(timeout=10, attempt_timeout=2)()
    assert caught.value.whose == "attempt_timeout of nap"
    assert clock.time() == pytest.approx(2, abs=0.01)


async def test_waiting_for_a_limit_is_not_charged_to_the_attempt(clock: VirtualClock) -> None:
    one_by_one = nap.options(timeout=None, attempt_timeout=1.5, limit=1)
    assert await asyncio.gather(*(one_by_one(1.0) for _ in range(4))) == ["rested"] * 4
    assert clock.time() == pytest.approx(4, abs=0.05)


# -- deadlines travel ---------------------------------------------------------------------------------------------


@tool
def left_on_thread() -> float | None:
    return remaining()


@tool
async def left_on_loop() -> float | None:
    return remaining()


async def test_a_body_sees_what_its_caller_has_left() -> None:
    assert await left_on_loop() is None
    assert await left_on_thread() is None
    with fail_after(60):
        for left in (await left_on_loop(), await left_on_thread()):
            assert left is not None
            assert 50 < left <= 60


@pytest.mark.slow
async def test_a_process_sees_what_its_caller_has_left() -> None:
    async with Runtime(processes=1, stall=None):
        assert await process_tools.left() is None
        with fail_after(60):
            left = await process_tools.left()
            after_import = await process_tools.left_after_import()
    assert left is not None
    assert 20 < left <= 60
    assert after_import is not None
    assert 20 < after_import <= left


@pytest.mark.parametrize("left", [left_on_loop, left_on_thread])
async def test_a_child_never_gets_more_than_its_parent_has_left(left: Any) -> None:
    with fail_after(5):
        assert await left.options(timeout=100)() <= 5
    with fail_after(100):
        assert await left.options(timeout=5)() <= 5


async def test_an_ambient_deadline_ends_a_call_and_says_that_it_was_that_one(clock: VirtualClock) -> None:
    with pytest.raises(TimedOutError, match=r"fail_after\(2\)"):
        with fail_after(2):
            await nap.options(timeout=10)()
    assert clock.time() == pytest.approx(2, abs=0.01)
    with move_on_after(2) as block:
        await nap.options(timeout=None)()
    assert block.cancelled_caught


async def test_an_ambient_deadline_abandons_a_thread() -> None:
    event = threading.Event()
    async with Runtime(stall=None) as runtime:
        with pytest.raises(TimedOutError):
            with fail_after(0.05):
                await block.options(timeout=None)(event)
        assert runtime.statistics()["thread"]["abandoned"] == 1
        event.set()


async def test_an_agents_deadline_reaches_the_tools_it_calls(clock: VirtualClock) -> None:
    @agent(timeout=3)
    async def asks() -> str:
        left = remaining()
        assert left is not None
        assert left <= 3
        return await nap.options(timeout=100)()

    with pytest.raises(TimedOutError) as caught:
        await asks()
    assert caught.value.whose == "timeout of asks"
    assert clock.time() == pytest.approx(3, abs=0.01)


# -- cancellation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [nap, nap.options(timeout=None), nap.options(timeout=None, attempt_timeout=50)])
async def test_cancelling_the_caller_cancels_the_body(clock: VirtualClock, made: Any) -> None:
    task = asyncio.create_task(made())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_an_outer_cancel_in_the_moment_of_the_deadline_wins(clock: VirtualClock) -> None:
    task = asyncio.create_task(nap())
    asyncio.get_running_loop().call_at(clock.time() + 1.0, task.cancel)
    with pytest.raises((asyncio.CancelledError, TimedOutError)):
        await task
    assert task.cancelling() <= 1

    async def caller() -> None:
        try:
            await nap()
        except TimedOutError:
            await asyncio.sleep(100)

    task = asyncio.create_task(caller())
    await asyncio.sleep(1.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_during_the_clean_up_is_not_lost(clock: VirtualClock) -> None:
    @tool(timeout=1, grace=5)
    async def tidy() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(2)

    task = asyncio.create_task(tidy())
    await asyncio.sleep(2)  # the deadline passed at 1, the clean-up lasts until 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.time() == pytest.approx(3, abs=0.1)


async def test_a_deadline_leaves_no_cancellation_behind(clock: VirtualClock) -> None:
    task = asyncio.current_task()
    assert task is not None
    for made in (nap, nap.options(timeout=None, attempt_timeout=1)):
        with pytest.raises(TimedOutError):
            await made()
        assert task.cancelling() == 0
        await asyncio.sleep(1)


async def test_a_task_cancelled_from_within_its_body_is_told_apart(clock: VirtualClock) -> None:
    @tool(timeout=5)
    async def suicidal() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    with pytest.raises(CallCancelled, match="somebody cancelled the task in which suicidal"):
        await suicidal()


async def test_a_cancelled_future_in_a_body_is_no_cancellation_of_the_caller() -> None:
    @tool
    async def waits() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(BodyExited):
        await waits()


# -- own tasks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factory", [None, "plain", "eager"])
async def test_an_own_task_runs_under_any_task_factory(factory: str | None) -> None:
    loop = asyncio.get_running_loop()
    if factory == "eager":
        if not hasattr(asyncio, "eager_task_factory"):
            pytest.skip("eager tasks came with 3.12")
        loop.set_task_factory(asyncio.eager_task_factory)
    elif factory == "plain":
        loop.set_task_factory(lambda loop, coro, **more: asyncio.Task(coro, loop=loop, **more))  # type: ignore[arg-type]
    try:
        quick = nap.options(timeout=5)
        assert await quick(0) == "rested"
        with pytest.raises(TimedOutError):
            await nap.options(timeout=0.01)()
        assert await gather(quick(0), quick(0.001)) == ("rested", "rested")
    finally:
        loop.set_task_factory(None)


async def test_a_body_with_a_time_out_has_a_task_of_its_own() -> None:
    @tool(timeout=5)
    async def whose() -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    assert await whose() is not asyncio.current_task()
    assert await whose.options(timeout=None)() is asyncio.current_task()


async def test_nothing_is_kept_alive_by_a_call_that_timed_out(clock: VirtualClock) -> None:
    class Big: ...

    @tool(timeout=1)
    async def holds(big: Big) -> None:
        await asyncio.Event().wait()  # asyncio keeps the context of a sleep that was cancelled

    import weakref

    big = Big()
    seen = weakref.ref(big)
    (outcome,) = await settle([holds(big)])
    assert isinstance(outcome, TimedOut)
    del big, outcome
    await asyncio.sleep(0)
    gc.collect()
    assert seen() is None


colour: ContextVar[str] = ContextVar("colour")


async def test_every_attempt_sees_the_context_of_the_caller() -> None:
    @tool(timeout=5, limit=1)
    async def paint() -> str:
        return colour.get()

    colour.set("red")
    assert await paint() == "red"


async def test_outcomes_tell_lane_times_and_work() -> None:
    event = threading.Event()
    async with Runtime(stall=None):
        late, fine = await settle(block(event), left_on_thread())
        event.set()
    assert isinstance(late, TimedOut)
    assert late.work == "abandoned"
    assert late.times.lane == "thread"
    assert late.times.running >= 0.04
    assert isinstance(fine, Ok)
    assert fine.times.attempts == 1


async def test_uvloop_keeps_the_same_clocks() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> list[str]:
        kinds: list[str] = []
        for made in (nap.options(timeout=0.02), nap.options(timeout=None, attempt_timeout=0.02)):
            with pytest.raises(TimedOutError) as caught:
                await made()
            kinds.append(caught.value.work)
        kinds.append(await nap.options(timeout=5)(0))
        return kinds

    loop_maker = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    answers: list[Any] = []

    def run() -> None:
        with loop_maker as runner:
            answers.append(runner.run(main()))

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.005)
    assert answers == [["stopped", "stopped", "rested"]]


def test_no_handler_of_logging_is_installed() -> None:
    assert logging.getLogger("linecook").handlers == []


async def test_a_caller_that_is_closed_while_it_waits_takes_the_body_with_it(clock: VirtualClock) -> None:
    caller: Any = nap()
    caller.send(None)
    caller.close()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}
