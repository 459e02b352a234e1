"""``Audit`` as a program or a test meets it."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as pools
import gc
import sys
import time
import warnings
from asyncio import events, runners

import pytest

from linecook.observe import Audit
from tests.observe.audit.conftest import audited, found


async def nothing() -> None:
    await asyncio.sleep(0)


def test_what_was_exchanged_is_given_back() -> None:
    def exchanged() -> list[object]:
        return [
            events._set_running_loop,
            asyncio._set_running_loop,  # type: ignore[attr-defined]
            runners._cancel_all_tasks,  # type: ignore[attr-defined]
            pools._WorkItem,
            asyncio.BaseEventLoop.create_task,
            warnings._warn_unawaited_coroutine,  # type: ignore[attr-defined]
            sys.get_coroutine_origin_tracking_depth(),
        ]

    before = exchanged()
    with Audit():
        asyncio.run(nothing())
        assert [ours is theirs for ours, theirs in zip(exchanged()[:6], before, strict=False)] == [False] * 6
    assert exchanged() == before


def test_a_loop_has_its_own_methods_back_when_the_audit_is_over() -> None:
    loop = asyncio.new_event_loop()
    before = set(vars(loop))
    with Audit():
        loop.run_until_complete(nothing())
        assert set(vars(loop)) - before
    assert set(vars(loop)) == before
    loop.run_until_complete(nothing())
    loop.close()


def test_nothing_is_exchanged_by_importing_linecook() -> None:
    assert events._set_running_loop.__module__ == "_asyncio"
    assert pools._WorkItem.__module__ == "concurrent.futures.thread"


def test_a_faultless_program_has_no_findings() -> None:
    report = audited(nothing)
    assert report.findings == []
    assert "nothing found" in str(report)


def test_there_is_one_audit_at_a_time_and_each_is_used_once() -> None:
    with Audit() as audit, pytest.raises(RuntimeError, match="one Audit at a time"):
        Audit().start()
    audit.stop()
    with pytest.raises(RuntimeError, match="each is used once"):
        audit.start()


@pytest.mark.parametrize("stall", [0, -1, float("nan")])
def test_a_threshold_that_is_no_duration_is_refused(stall: float) -> None:
    with pytest.raises(ValueError, match="seconds, > 0"):
        Audit(stall=stall)


def test_to_know_more_than_usual_and_less_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one"):
        Audit(origins=True, light=True)


def test_a_report_can_be_had_while_the_program_runs() -> None:
    reports = []

    async def main() -> None:
        time.sleep(0.2)
        await asyncio.sleep(0.1)
        reports.append(audit.report())

    with Audit() as audit:
        asyncio.run(main())
    assert found(reports[0], "stall").count == 1
    assert not reports[0].at_end
    assert "so far" in str(reports[0])


def test_light_names_the_function_where_the_line_is_not_known() -> None:
    async def pay() -> None:
        raise ValueError

    async def main() -> None:
        paying = asyncio.create_task(pay())
        await asyncio.wait([paying])

    unseen = found(audited(main, light=True), "exception_unseen")
    assert unseen.place.line == pay.__code__.co_firstlineno
    gc.collect()


def test_the_same_trouble_at_one_place_is_one_finding_with_a_count() -> None:
    async def fail() -> None:
        raise OSError("gone")

    async def main() -> None:
        for _ in range(5):
            failing = asyncio.create_task(fail())
            await asyncio.wait([failing])
            del failing

    unseen = found(audited(main), "exception_unseen")
    assert unseen.count == 5
    assert unseen.details["error"] == [("OSError: gone", 5.0)]


def test_loops_in_a_row_and_debug_mode_are_seen_as_well() -> None:
    async def stand() -> None:
        time.sleep(0.2)

    with Audit() as audit:
        for _ in range(3):
            asyncio.run(stand(), debug=True)
        report = audit.report(at_end=True)
    assert report.ran.loops == 3
    assert found(report, "stall").count == 3
