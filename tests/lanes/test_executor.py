"""A loop's default executor on a thread lane: what comes through ``to_thread`` starves nobody and holds nobody back."""

import asyncio
import concurrent.futures
import contextvars
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from linecook.errors import BodyExited, Refused
from linecook.lanes.executor import LaneExecutor
from linecook.lanes.thread import ThreadLane

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@pytest.fixture
def lane() -> Iterator[ThreadLane]:
    lane = ThreadLane(threads=2, max_threads=4)
    yield lane
    lane.close(wait=2)


@pytest.fixture
def executor(lane: ThreadLane) -> LaneExecutor:
    return LaneExecutor(lane)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hung bodies hang on; opened when the test is over."""
    gate = threading.Event()
    yield gate
    gate.set()


async def test_to_thread_and_name_lookups_run_on_the_lane(executor: LaneExecutor) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(executor)
    WHO.set("me")
    name, who = await asyncio.to_thread(lambda: (threading.current_thread().name, WHO.get()))
    assert name.startswith("linecook-thread-")
    assert who == "me"
    assert await loop.run_in_executor(None, max, 1, 2) == 2
    assert await loop.getaddrinfo("127.0.0.1", 80)


def test_submit_works_from_any_thread_without_a_loop(executor: LaneExecutor) -> None:
    assert executor.submit(divmod, 7, 2).result(5) == (3, 1)
    assert list(executor.map(abs, [-1, -2, -3])) == [1, 2, 3]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_a_function_raises_arrives_as_from_the_standard_library(
    executor: LaneExecutor, kind: type[BaseException]
) -> None:
    def fail() -> None:
        raise kind("no")

    assert isinstance(executor.submit(fail).exception(5), kind)


async def test_a_stop_iteration_never_hangs_to_thread(executor: LaneExecutor) -> None:
    asyncio.get_running_loop().set_default_executor(executor)
    with pytest.raises(BodyExited, match="StopIteration"):
        await asyncio.wait_for(asyncio.to_thread(next, iter(())), 5)


def test_a_queued_function_can_be_cancelled_and_frees_its_place(gate: threading.Event) -> None:
    lane = ThreadLane(threads=1, max_threads=1, max_queued=1)
    executor = LaneExecutor(lane)
    executor.submit(gate.wait)
    wait_until(lambda: lane.statistics()["running"] == 1)
    queued = executor.submit(print)
    with pytest.raises(Refused, match="max_queued=1"):
        executor.submit(print)
    assert queued.cancel()
    assert lane.statistics()["waiting"] == 0
    assert executor.submit(abs, -1) is not None
    gate.set()
    lane.close(wait=2)


def test_a_running_function_is_not_cancelled(executor: LaneExecutor, gate: threading.Event) -> None:
    running = executor.submit(gate.wait, 5)
    wait_until(running.running)
    assert not running.cancel()
    gate.set()
    assert running.result(5) is True


def test_after_shutdown_nothing_is_accepted_and_the_lane_lives_on(executor: LaneExecutor, lane: ThreadLane) -> None:
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(print)
    assert LaneExecutor(lane).submit(abs, -1).result(5) == 1


def test_shutdown_never_waits_for_a_hung_function(executor: LaneExecutor, gate: threading.Event) -> None:
    hung = [executor.submit(gate.wait) for _ in range(4)]
    wait_until(lambda: all(future.running() for future in hung))
    queued = executor.submit(print)
    executor.shutdown(wait=True, cancel_futures=True)
    assert queued.cancelled()
    assert not any(future.done() for future in hung)


def test_an_error_is_freed_with_its_future(executor: LaneExecutor) -> None:
    import gc
    import weakref

    class Thing:
        pass

    def fail(thing: Thing) -> None:
        raise ValueError(thing)

    thing = Thing()
    seen = weakref.ref(thing)
    gc.disable()
    try:
        future = executor.submit(fail, thing)
        with pytest.raises(ValueError):
            future.result(5)
        del future, thing
        wait_until(lambda: seen() is None)
    finally:
        gc.enable()


async def test_six_hung_calls_starve_nobody(gate: threading.Event) -> None:
    lane = ThreadLane(threads=2, max_threads=64)
    asyncio.get_running_loop().set_default_executor(LaneExecutor(lane))
    hung = [asyncio.ensure_future(asyncio.to_thread(gate.wait)) for _ in range(6)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(asyncio.to_thread(abs, -1), 5) == 1
    gate.set()
    await asyncio.gather(*hung)
    lane.close(wait=2)


@pytest.mark.slow
def test_asyncio_run_leaves_though_a_function_hangs(environment: dict[str, str]) -> None:
    program = """
import asyncio, time
from linecook.lanes.executor import LaneExecutor
from linecook.lanes.thread import ThreadLane

async def main():
    asyncio.get_running_loop().set_default_executor(LaneExecutor(ThreadLane()))
    try:
        await asyncio.wait_for(asyncio.to_thread(time.sleep, 3600), 0.05)
    except TimeoutError:
        print("late")

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        env=environment, capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert done.stdout == "late\n"
    assert done.stderr == ""


def test_it_is_a_thread_pool_executor_by_type(executor: LaneExecutor) -> None:
    assert isinstance(executor, concurrent.futures.ThreadPoolExecutor)


def wait_until(true: object, patience: float = 5.0) -> None:
    assert callable(true)
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.001)
