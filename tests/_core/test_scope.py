"""A scope owns what it starts: nothing is alive after it, no failure is lost, and nothing can hang it."""

import asyncio
import gc
import logging
from typing import Any

import anyio
import pytest

from linecook import Cancelled, Failed, Ok, TimedOut, agent, fail_after, scope
from linecook._core.scope import ScopeFrame
from linecook.errors import AlreadyRun, CallCancelled, TimedOutError, UsageError
from linecook.testing import VirtualClock


@agent
async def nap(seconds: float, value: str = "rested") -> str:
    await asyncio.sleep(seconds)
    return value


@agent
async def burn(seconds: float = 0.0, what: str = "burnt") -> str:
    await asyncio.sleep(seconds)
    raise RuntimeError(what)


async def stubborn(times: int, log: list[str]) -> str:
    for _ in range(times):
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            log.append("swallowed")
    return "left at last"


async def test_leaving_the_block_waits_for_everything_started(clock: VirtualClock) -> None:
    async with scope() as s:
        slow, fast = s.start(nap(5, "slow")), s.start(nap(1, "fast"))
    assert slow.outcome == Ok("slow")
    assert fast.outcome == Ok("fast")
    assert clock.time() == pytest.approx(5, abs=0.1)


async def test_a_handle_is_awaited_like_the_call_any_number_of_times(clock: VirtualClock) -> None:
    async with scope() as s:
        handle = s.start(nap(1))
        assert handle.outcome is None
        assert not handle.done
        assert await handle == "rested"
        assert await handle == "rested"
        assert handle.done


async def test_a_plain_coroutine_can_be_started_too(clock: VirtualClock) -> None:
    async with scope() as s:
        handle = s.start(asyncio.sleep(1, "slept"))
    assert handle.outcome == Ok("slept")


async def test_the_first_failure_cancels_the_block_and_the_others_and_is_raised_itself(clock: VirtualClock) -> None:
    with pytest.raises(RuntimeError, match="burnt"):
        async with scope() as s:
            other = s.start(nap(100))
            s.start(burn(1))
            await asyncio.sleep(100)
    assert other.outcome == Cancelled("sibling")
    assert clock.time() < 2
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(1)  # nothing is delivered late


async def test_other_failures_are_noted_on_the_first(clock: VirtualClock) -> None:
    async def fail_in_clean_up() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise KeyError("second")

    with pytest.raises(RuntimeError) as caught:
        async with scope() as s:
            s.start(fail_in_clean_up())
            s.start(burn(1))
    assert any("KeyError('second')" in note for note in caught.value.__notes__)


async def test_on_failure_keep_lets_the_others_go_on_and_raises_at_the_end(clock: VirtualClock) -> None:
    with pytest.raises(RuntimeError, match="burnt"):
        async with scope(on_failure="keep") as s:
            other = s.start(nap(5))
            failed = s.start(burn(1))
            await asyncio.sleep(2)
            assert isinstance(failed.outcome, Failed)
    assert other.outcome == Ok("rested")


async def test_an_error_of_the_block_cancels_what_runs_and_is_raised(clock: VirtualClock) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with scope() as s:
            handle = s.start(nap(100))
            await asyncio.sleep(0)
            raise ValueError("mine")
    assert handle.outcome == Cancelled("sibling")


async def test_cancelling_the_owner_cancels_what_runs_and_waits_for_its_clean_up(clock: VirtualClock) -> None:
    log: list[str] = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0.2)
            log.append("tidied")

    async def owner() -> None:
        async with scope() as s:
            s.start(tidy())

    task = asyncio.create_task(owner())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["tidied"]


async def test_cancelling_a_handle_ends_that_call_alone(clock: VirtualClock) -> None:
    async with scope() as s:
        first, second = s.start(nap(100)), s.start(nap(1))
        first.cancel("not needed")
        assert await first.wait() == Cancelled("not needed")
        with pytest.raises(CallCancelled, match="not needed"):
            await first
    assert second.outcome == Ok("rested")


async def test_cancelling_who_awaits_a_handle_leaves_the_call_alone(clock: VirtualClock) -> None:
    async with scope() as s:
        handle = s.start(nap(2))
        with pytest.raises(TimedOutError):
            with fail_after(1):
                await handle
        assert await handle == "rested"


async def test_a_call_cancelled_before_its_first_step_is_answered(clock: VirtualClock) -> None:
    async with scope() as s:
        handle = s.start(nap(1))
        handle.cancel()
    assert handle.outcome == Cancelled("caller")


async def test_a_call_that_swallows_cancellation_cannot_hang_the_scope(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    with caplog.at_level(logging.WARNING, logger="linecook"):
        with pytest.raises(ValueError):
            async with scope(grace=0.5) as s:
                handle = s.start(stubborn(10, log))
                await asyncio.sleep(0)
                raise ValueError
    assert clock.time() == pytest.approx(1.5, abs=0.1)
    assert [call.name for call in s.abandoned] == ["stubborn"]
    assert handle.outcome is not None
    assert handle.outcome.work == "abandoned"
    await asyncio.sleep(1)
    assert log == ["swallowed"] * 3
    assert "stubborn" in caplog.text
    assert "test_scope.py" in caplog.text
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)


async def test_a_timeout_bounds_the_block_and_its_calls(clock: VirtualClock) -> None:
    with pytest.raises(TimedOutError, match="scope"):
        async with scope(timeout=1) as s:
            handle = s.start(nap(100))
    assert handle.outcome == Cancelled("deadline")
    assert clock.time() < 2


async def test_starting_in_a_scope_that_has_ended_is_refused(clock: VirtualClock) -> None:
    async with scope() as s:
        pass
    with pytest.raises(UsageError, match="has ended"):
        s.start(nap(1))


async def test_a_call_is_started_once(clock: VirtualClock) -> None:
    call = nap(0)
    async with scope() as s:
        s.start(call)
        with pytest.raises(AlreadyRun, match=r"again\(\)"):
            s.start(call)


@pytest.mark.parametrize("wrong", [nap, 3, "nap"])
async def test_what_is_no_call_is_refused_by_name(clock: VirtualClock, wrong: Any) -> None:
    async with scope() as s:
        with pytest.raises(UsageError):
            s.start(wrong)


async def test_children_may_start_further_calls_while_the_block_is_being_left(clock: VirtualClock) -> None:
    handles: list[Any] = []

    async with scope() as s:

        async def parent() -> None:
            await asyncio.sleep(1)
            handles.append(s.start(nap(1)))

        s.start(parent())
    assert handles[0].outcome == Ok("rested")


async def test_scopes_nest_and_each_cancel_is_counted_once(clock: VirtualClock) -> None:
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(RuntimeError):
        async with scope() as outer:
            sibling = outer.start(nap(100))
            async with scope() as inner:
                inner.start(burn(1))
                await asyncio.sleep(100)
    assert sibling.outcome == Cancelled("sibling")
    assert task.cancelling() == 0


async def test_an_anyio_scope_that_cancels_again_and_again_wakes_us_a_bounded_number_of_times() -> None:
    # 23,662 cancellations in 0.2 s reached a polite clean-up under such a scope: agronholm/anyio#1111
    anyio = pytest.importorskip("anyio")
    asked = 0
    cleaned = asyncio.Event()

    async def tidy() -> None:
        nonlocal asked
        try:
            await asyncio.sleep(100)
        finally:
            for _ in range(20):
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    asked += 1
            cleaned.set()

    with anyio.CancelScope() as cancel_scope:
        async with scope() as s:
            s.start(tidy())
            await asyncio.sleep(0)
            cancel_scope.cancel()
    await asyncio.wait_for(cleaned.wait(), 5)
    assert asked <= 3
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_paths_name_the_place_of_a_call(clock: VirtualClock) -> None:
    @agent
    async def outer() -> str:
        async with scope() as s:
            handle = s.start(nap(0))
        return handle.call.path

    assert await outer() == "outer/scope:0/nap:0"


async def test_a_child_that_times_out_is_a_timed_out_outcome(clock: VirtualClock) -> None:
    with pytest.raises(TimedOutError):
        async with scope(on_failure="keep") as s:
            handle = s.start(nap.options(timeout=1)(100))
    assert handle.outcome == TimedOut(1)


async def test_a_call_started_in_a_clean_up_does_not_outlive_the_scope(clock: VirtualClock) -> None:
    async def child() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            handles.append(s.start(nap(1000)))
            raise

    handles: list[Any] = []
    with pytest.raises(ValueError, match="the block's own"):
        async with scope() as s:
            s.start(child())
            await asyncio.sleep(0)
            raise ValueError("the block's own")
    assert [handle.outcome for handle in handles] == [Cancelled("sibling")]
    assert s.handles == {}
    assert s.abandoned == []


async def test_a_cancel_while_the_block_is_left_with_an_error_is_not_lost(clock: VirtualClock) -> None:
    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.2)

    async def host() -> str:
        try:
            async with scope() as s:
                s.start(slow_to_end())
                await asyncio.sleep(0)
                raise ValueError("the block's own")
        except ValueError:
            await asyncio.sleep(0)
            return "went on"
        return "left"

    task = asyncio.create_task(host())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 1
    assert clock.time() < 0.5


async def test_cancels_swallowed_before_do_not_shorten_the_grace_of_a_scope(clock: VirtualClock) -> None:
    async def host() -> list[Any]:
        for _ in range(3):
            me.cancel()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                pass
        try:
            async with scope(grace=1) as s:
                s.start(stubborn(1, []))
                s.start(stubborn(2, []))
                await asyncio.sleep(0)
                raise ValueError
        except ValueError:
            return s.abandoned
        return ["left"]

    me = asyncio.create_task(host())
    assert await me == []


async def test_an_ended_scope_is_garbage_free(clock: VirtualClock) -> None:
    async def with_a_scope() -> None:
        async with scope() as s:
            s.start(nap(0))

    async def with_a_failure() -> None:
        with pytest.raises(RuntimeError, match="burnt"):
            async with scope() as s:
                s.start(burn())

    for case in (with_a_scope, with_a_failure):
        await case()
        gc.collect()
        gc.disable()
        try:
            frames = sum(type(each) is ScopeFrame for each in gc.get_objects())
            await case()
            await asyncio.sleep(0)
            assert sum(type(each) is ScopeFrame for each in gc.get_objects()) == frames
        finally:
            gc.enable()


@pytest.mark.parametrize(
    ("message", "reason"),
    [(None, "caller"), ("Cancelled by cancel scope 7f3a", "caller"), ("shutdown: Ctrl-C", "shutdown")],
)
async def test_foreign_words_of_a_cancellation_are_no_reason(clock: VirtualClock, message: Any, reason: str) -> None:
    handles: list[Any] = []

    async def host() -> None:
        async with scope() as s:
            handles.append(s.start(nap(1000)))

    task = asyncio.create_task(host())
    await asyncio.sleep(1)
    task.cancel(message)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert handles[0].outcome == Cancelled(reason)


async def test_a_sibling_that_cleans_up_is_asked_once(clock: VirtualClock) -> None:
    log: list[str] = []

    async def cleans_up() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.3)
            log.append("clean")

    with pytest.raises(RuntimeError, match="burnt"):
        async with scope() as s:
            s.start(cleans_up())
            s.start(burn(1))
    assert log == ["clean"]
    assert clock.time() == pytest.approx(1.3, abs=0.01)


async def test_an_anyio_deadline_that_comes_while_the_block_is_left_is_known_by_its_words() -> None:
    async def cleans_up() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.1)

    with anyio.move_on_after(0.03) as bound:
        async with scope() as s:
            s.start(cleans_up())
            await asyncio.sleep(0)
            raise ValueError
    assert bound.cancelled_caught
    await asyncio.sleep(0.1)


async def test_an_anyio_deadline_that_comes_while_siblings_clean_up_is_known_by_its_words() -> None:
    async def cleans_up() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.1)

    with anyio.move_on_after(0.03) as bound:
        async with scope() as s:
            s.start(cleans_up())
            s.start(burn())
    assert bound.cancelled_caught
    await asyncio.sleep(0.1)
