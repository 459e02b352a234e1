"""Loops are found wherever and however they run."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from linecook.observe import Audit
from tests.observe.audit.conftest import found, line_of

Factory = Callable[[], asyncio.AbstractEventLoop]


async def stand() -> None:
    time.sleep(0.4)  # stands


def test_a_loop_run_by_hand_and_again_and_again_is_seen_as_one(loop_factory: Factory) -> None:
    loop = loop_factory()
    with Audit() as audit:
        for _ in range(50):
            loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(stand())
        report = audit.report()
    loop.close()
    assert report.ran.loops == 1
    assert found(report, "stall").place.line == line_of(stand, "# stands")


def test_loops_of_several_threads_are_seen_at_once(loop_factory: Factory) -> None:
    def program() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(stand())

    with Audit() as audit:
        threads = [threading.Thread(target=program) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report = audit.report()
    assert report.ran.loops == 2
    assert found(report, "stall").count == 2


async def test_the_loop_that_runs_already_is_seen() -> None:
    with Audit() as audit:
        await stand()
        await asyncio.sleep(0.06)
        report = audit.report()
    assert found(report, "stall").count == 1


def test_a_loop_that_stops_and_is_dropped_is_not_kept(loop_factory: Factory) -> None:
    import gc
    import weakref

    with Audit():
        loop = loop_factory()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        known = weakref.ref(loop)
        del loop
        gc.collect()
        assert known() is None


def test_a_stall_that_goes_on_is_in_the_report_so_far() -> None:
    reports = []

    async def main() -> None:
        asker = threading.Thread(target=ask)
        asker.start()
        time.sleep(0.6)  # stands
        asker.join()

    def ask() -> None:
        time.sleep(0.45)
        reports.append(audit.report())

    with Audit() as audit:
        asyncio.run(main())
    so_far, in_the_end = found(reports[0], "stall"), found(audit.report(), "stall")
    assert so_far.place.line == in_the_end.place.line == line_of(main, "# stands")
    assert (so_far.count, in_the_end.count) == (1, 1)
    assert so_far.seconds < in_the_end.seconds
