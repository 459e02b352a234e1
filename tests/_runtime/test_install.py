"""``install``: one line, and the default pool neither starves nor holds the process back; reversible."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from linecook import install
from linecook.lanes.executor import LaneExecutor

SRC = str(Path(__file__).parents[2] / "src")


def who() -> str:
    return threading.current_thread().name


def test_inside_a_loop_it_is_that_loops_executor_until_uninstalled() -> None:
    async def main() -> None:
        installed = install()
        assert (await asyncio.to_thread(who)).startswith("linecook")
        assert installed.uninstall() == []
        assert not (await asyncio.to_thread(who)).startswith("linecook")
        assert installed.uninstall() == []

    asyncio.run(main())


def test_before_any_loop_it_serves_the_loops_made_from_now_on() -> None:
    original = asyncio.new_event_loop

    async def main() -> str:
        return await asyncio.to_thread(who)

    with install():
        assert asyncio.run(main()).startswith("linecook")
    assert asyncio.new_event_loop is original
    assert not asyncio.run(main()).startswith("linecook")


def test_a_loop_of_another_thread_is_named_as_out_of_reach() -> None:
    ready, leave = threading.Event(), threading.Event()

    async def main() -> None:
        ready.set()
        while not leave.is_set():
            await asyncio.sleep(0.005)

    installed = install()
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(10)
        assert len(installed.uninstall()) == 1
    finally:
        leave.set()
        thread.join(10)


def test_name_look_ups_go_through_it_too() -> None:
    async def main() -> object:
        with install():
            return await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)

    assert asyncio.run(main())


def test_it_is_a_thread_pool_executor_by_type() -> None:
    from concurrent.futures import ThreadPoolExecutor

    assert issubclass(LaneExecutor, ThreadPoolExecutor)


@pytest.mark.slow
def test_hung_calls_starve_nobody_and_the_process_ends() -> None:
    # `to_thread` exhausts the default pool and blocks the worker: hatchet-dev/hatchet#4803
    text = """
        import asyncio, time
        import linecook
        linecook.install()

        async def main():
            hung = [asyncio.create_task(asyncio.to_thread(time.sleep, 3600)) for _ in range(50)]
            await asyncio.sleep(0.1)
            print(await asyncio.wait_for(asyncio.to_thread(lambda: "served"), 10))

        asyncio.run(main())
    """
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": SRC},
    )  # fmt: skip
    assert done.stdout == "served\n", done.stderr
    assert time.monotonic() - began < 25


def test_two_of_them_may_be_uninstalled_in_any_order() -> None:
    original = asyncio.new_event_loop

    async def main() -> str:
        return await asyncio.to_thread(who)

    first, second = install(), install()
    first.uninstall()
    assert asyncio.run(main()).startswith("linecook")
    second.uninstall()
    try:
        assert not asyncio.run(main()).startswith("linecook")
    finally:
        asyncio.events.new_event_loop = asyncio.new_event_loop = original
