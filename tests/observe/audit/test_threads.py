"""Threads that hold the interpreter, and threads that won't end."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time

import pytest

from linecook.observe import Audit
from tests.observe.audit.conftest import audited, found


def count(seconds: float) -> int:
    ends, total = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        for number in range(1000):
            total += number * number
    return total


@pytest.mark.slow
def test_cpu_work_in_a_thread_is_named_by_its_function() -> None:
    async def main() -> None:
        await asyncio.to_thread(count, 1.0)

    held = found(audited(main), "cpu_thread")
    assert held.place.function == "count"
    assert 0.2 < held.seconds < 3
    assert "%" in held.says
    assert "asyncio_0" in held.details["thread"][0][0]


@pytest.mark.slow
def test_work_that_lets_go_of_the_interpreter_is_no_finding() -> None:
    def digest() -> None:
        hashlib.pbkdf2_hmac("sha256", b"soup", b"salt", 1_000_000)

    async def main() -> None:
        await asyncio.to_thread(digest)

    assert "cpu_thread" not in [each.kind for each in audited(main).findings]


def test_without_a_loop_nobody_is_kept_from_anything() -> None:
    with Audit() as audit:
        worker = threading.Thread(target=count, args=(0.2,))
        worker.start()
        worker.join()
    assert audit.report().findings == []


@pytest.mark.slow
def test_a_thread_that_runs_on_is_named_where_it_stands() -> None:
    gate = threading.Event()
    stuck = threading.Thread(target=gate.wait, name="listener")
    with Audit() as audit:
        stuck.start()
        time.sleep(0.6)
        (one,) = [each for each in audit.stuck() if each.name == "listener"]
        report = audit.report(at_end=True)
        gate.set()
        stuck.join()
    assert one.seconds > 0.05
    assert ("listener", 1.0) in found(report, "thread_stuck").details["thread"]


def test_an_idle_thread_of_a_pool_is_not_stuck() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool, Audit() as audit:
        pool.submit(time.sleep, 0).result()
        time.sleep(0.02)
        assert audit.stuck() == []


@pytest.mark.slow
def test_a_loop_that_waits_for_its_pool_in_order_to_end_says_so_once() -> None:
    gate = threading.Event()
    told: list[str] = []

    def closing() -> None:
        told.extend(each.name for each in audit.stuck())
        gate.set()

    async def main() -> None:
        asyncio.get_running_loop().run_in_executor(None, gate.wait, 30)
        await asyncio.sleep(0.05)

    with Audit(on_closing=closing) as audit:
        begun = time.monotonic()
        asyncio.run(main())
    assert time.monotonic() - begun < 20
    assert told == ["asyncio_0"]
