"""Virtual time: nothing waits, order is kept, and what is real still takes its time."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from linecook import settle, tool
from linecook.testing import VirtualClock, VirtualLoop


async def test_hours_pass_in_no_time_and_in_order(clock: VirtualClock) -> None:
    began, woke = time.monotonic(), list[int]()

    async def sleeper(hours: int) -> None:
        await asyncio.sleep(hours * 3600)
        woke.append(hours)

    await asyncio.gather(*(sleeper(hours) for hours in (3, 1, 2)))
    assert woke == [1, 2, 3]
    assert clock.time() == pytest.approx(3 * 3600, abs=1)
    assert time.monotonic() - began < 30


def test_run_is_a_way_without_pytest() -> None:
    clock = VirtualClock()

    async def main() -> str:
        await asyncio.sleep(60)
        return "an hour or so"

    assert clock.run(main()) == "an hour or so"
    assert clock.time() >= 60


async def test_asyncios_own_timeouts_jump_too(clock: VirtualClock) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(600):
            await asyncio.Event().wait()
    assert clock.time() == pytest.approx(600, abs=1)


async def test_a_thread_at_work_is_not_timed_out_by_a_jump(clock: VirtualClock) -> None:
    @tool(timeout=30)
    def slow() -> str:
        time.sleep(0.05)
        return "done"

    assert (await settle(slow() for _ in range(3))).results == ["done"] * 3
    assert clock.time() < 20


async def test_an_executors_call_takes_its_real_time(clock: VirtualClock) -> None:
    async with asyncio.timeout(30):
        with ThreadPoolExecutor(1) as pool:
            await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 0.05)
    assert clock.time() < 20


async def test_a_hung_thread_is_given_up_in_real_time(clock: VirtualClock) -> None:
    import threading

    leave = threading.Event()

    @tool(attempt_timeout=0.05)  # from the moment it starts: a busy machine may take its time to start a thread
    def hang() -> None:
        leave.wait(30)

    outcome = (await settle([hang()]))[0]
    assert outcome.work == "abandoned"
    leave.set()


async def test_advance_moves_on_by_hand_and_never_back(clock: VirtualClock) -> None:
    before = clock.time()
    clock.advance(5)
    assert clock.time() == before + 5
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


async def test_a_limiter_that_adds_up_floats_does_not_spin(clock: VirtualClock) -> None:
    # Waits are computed from the clock, and a jump that lands a hair early would compute the next wait as 0 for ever.
    clock.advance(33.33)
    level, last, turns = 10.0, clock.time(), 0
    while turns < 1000:
        now = clock.time()
        level = max(0.0, level - (now - last) * 3.3)
        last = now
        if level + 1 <= 10:
            break
        await asyncio.sleep((level + 1 - 10) / 3.3)
        turns += 1
    assert turns < 5


def test_the_loop_is_asyncios_own_otherwise() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(asyncio.sleep(0, "ran")) == "ran"


async def test_tests_without_the_fixture_have_real_time() -> None:
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)
