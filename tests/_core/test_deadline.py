"""Deadlines nest, travel, count cancellations exactly, and behave as trio's and anyio's do."""

import asyncio
import math

import pytest

from linecook import fail_after, move_on_after, remaining, tool
from linecook.errors import TimedOutError
from linecook.testing import VirtualClock


async def test_fail_after_raises_at_its_deadline_and_not_before(clock: VirtualClock) -> None:
    with pytest.raises(TimedOutError) as caught:
        with fail_after(5):
            await asyncio.sleep(60)
    assert 5 <= clock.time() < 5.1
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.after == 5
    assert "fail_after(5)" in caught.value.whose


async def test_move_on_after_goes_on_and_says_so(clock: VirtualClock) -> None:
    with move_on_after(2) as scope:
        await asyncio.sleep(60)
    assert scope.cancelled_caught
    assert clock.time() < 2.1


async def test_a_block_that_ends_in_time_is_left_alone(clock: VirtualClock) -> None:
    with move_on_after(2) as scope:
        await asyncio.sleep(1)
    await asyncio.sleep(10)
    assert not scope.cancelled_caught
    assert not scope.cancel_called


async def test_the_nearest_of_nested_deadlines_counts(clock: VirtualClock) -> None:
    with move_on_after(1) as outer:
        with move_on_after(5) as inner:
            await asyncio.sleep(60)
    assert outer.cancelled_caught
    assert not inner.cancelled_caught
    with move_on_after(5) as outer:
        with move_on_after(1) as inner:
            await asyncio.sleep(60)
        await asyncio.sleep(1)
    assert inner.cancelled_caught
    assert not outer.cancel_called


async def test_the_count_of_cancellations_is_what_it_was(clock: VirtualClock) -> None:
    task = asyncio.current_task()
    assert task is not None
    for _ in range(3):
        with move_on_after(1), move_on_after(1):
            await asyncio.sleep(60)
        assert task.cancelling() == 0
    await asyncio.sleep(1)  # nothing is delivered late


@pytest.mark.parametrize("first", ["outer", "own", "together"])
async def test_an_outer_cancel_that_meets_the_own_deadline_goes_on(clock: VirtualClock, first: str) -> None:
    async def work() -> None:
        with move_on_after(1):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep({"outer": 0.5, "own": 1.5, "together": 1.0}[first])
    task.cancel("by hand")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_an_outer_cancel_during_the_clean_up_after_a_deadline_goes_on(clock: VirtualClock) -> None:
    async def work() -> str:
        with move_on_after(1):
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(1)  # the outer cancel arrives here
        return "went on"

    task = asyncio.create_task(work())
    await asyncio.sleep(1.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_body_that_swallows_the_cancellation_leaves_no_debt(clock: VirtualClock) -> None:
    with move_on_after(1) as scope:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
    task = asyncio.current_task()
    assert task is not None
    assert scope.cancel_called
    assert not scope.cancelled_caught
    assert task.cancelling() == 0
    await asyncio.sleep(1)


async def test_an_error_of_the_body_is_not_hidden_by_the_deadline(clock: VirtualClock) -> None:
    with pytest.raises(KeyError):
        with fail_after(1):
            try:
                await asyncio.sleep(60)
            finally:
                raise KeyError("clean-up failed")


async def test_zero_lets_through_only_what_never_waits(clock: VirtualClock) -> None:
    with move_on_after(0) as scope:
        pass
    assert not scope.cancelled_caught
    with move_on_after(0) as scope:
        await asyncio.sleep(0.001)
    assert scope.cancelled_caught


async def test_none_and_infinity_bound_nothing(clock: VirtualClock) -> None:
    for seconds in (None, math.inf):
        with fail_after(seconds):
            assert remaining() is None
            await asyncio.sleep(10_000)


@pytest.mark.parametrize("wrong", [-1, -0.001, math.nan])
def test_a_negative_or_nan_number_of_seconds_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="0 or more seconds"):
        fail_after(wrong)
    with pytest.raises(ValueError, match="0 or more seconds"):
        move_on_after(wrong)


@pytest.mark.parametrize("wrong", ["5", True, object()])
def test_what_is_no_number_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="number of seconds"):
        fail_after(wrong)  # type: ignore[arg-type]


async def test_a_block_is_entered_once(clock: VirtualClock) -> None:
    scope = move_on_after(1)
    with scope:
        pass
    with pytest.raises(RuntimeError, match="second time"):
        with scope:
            pass


def test_a_block_outside_a_task_is_refused() -> None:
    with pytest.raises(RuntimeError):
        with fail_after(1):
            pass


async def test_remaining_counts_down_and_never_below_zero(clock: VirtualClock) -> None:
    assert remaining() is None
    with move_on_after(10):
        await asyncio.sleep(4)
        left = remaining()
        assert left is not None
        assert left == pytest.approx(6, abs=0.01)
        with move_on_after(100):
            assert remaining() == pytest.approx(6, abs=0.01)
        with move_on_after(1):
            assert remaining() == pytest.approx(1, abs=0.01)
        clock.advance(20)
        assert remaining() == 0.0
    assert remaining() is None


async def test_deadlines_travel_into_child_tasks(clock: VirtualClock) -> None:
    async def child() -> float | None:
        return remaining()

    with move_on_after(10):
        assert await asyncio.create_task(child()) == pytest.approx(10, abs=0.01)


async def test_deadlines_travel_into_threads() -> None:
    @tool
    def left() -> float | None:
        return remaining()

    with fail_after(30):
        seconds = await left()
    assert seconds is not None
    assert 20 < seconds <= 30
    assert await left() is None


async def test_ten_thousand_deadlines_given_up_leave_no_timer_behind(clock: VirtualClock) -> None:
    for _ in range(10_000):
        with fail_after(60):
            pass
    await asyncio.sleep(120)


def test_deadlines_work_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> bool:
        with move_on_after(0.01) as scope:
            await asyncio.sleep(10)
        return scope.cancelled_caught

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main())
