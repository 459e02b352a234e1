"""The report: order, width, and what JSON holds."""

from __future__ import annotations

import json

from linecook.observe.audit.ledger import Ledger, Where
from linecook.observe.audit.report import AuditReport, Ran
from linecook.observe.audit.words import BLIND, HEADINGS, KINDS, seconds

RAN = Ran(12.5, 1, ("asyncio",), ())


def report(ledger: Ledger, **options: object) -> AuditReport:
    usual: dict[str, object] = {"missed": 0, "unfollowed": 0, "knows": "tasks", "at_end": True}
    return AuditReport.of(ledger.sums(), RAN, **(usual | options))  # type: ignore[arg-type]


def everything() -> Ledger:
    ledger = Ledger()
    for number, kind in enumerate(KINDS, 1):
        where = Where("/somewhere/" + "very/" * 30 + "deep.py", number, "main")
        subjects = ("what", "how", "threads", "share", "behind", "error", "raised", "said", "host", "thread")
        details = tuple(((subject, word), 1.0) for subject in subjects for word in ("soup " * 20, "salad"))
        for _ in range(3):
            ledger.note(kind, where, float(number), details)
    return ledger


def test_every_kind_has_its_words_and_fits_into_100_columns() -> None:
    text = str(report(everything()))
    assert max(map(len, text.splitlines())) <= 100
    assert "{" not in text
    for heading in HEADINGS:
        assert heading.upper() in text
    for words in KINDS.values():
        assert words.cure.split(":")[0][:40] in text


def test_the_most_costly_comes_first_under_its_heading() -> None:
    ledger = Ledger()
    for line, cost in ((1, 0.2), (2, 3.0), (3, 1.0)):
        ledger.note("stall", Where("app.py", line, "main"), cost)
    ledger.note("task_lost", Where("app.py", 9, "main"))
    assert [each.place.line for each in report(ledger).findings] == [9, 2, 3, 1]


def test_a_long_list_is_cut_in_text_and_whole_in_json() -> None:
    ledger = Ledger()
    for line in range(1, 51):
        ledger.note("stall", Where("app.py", line, "main"), 1.0)
    whole = report(ledger)
    assert "and 30 places more" in str(whole)
    assert len(whole.to_json()["findings"]) == 50


def test_json_holds_it_all_under_names_that_stay() -> None:
    found = json.loads(json.dumps(report(everything()).to_json()))
    assert set(found) == {"at_end", "seconds", "loops", "findings", "waits", "limits"}
    kinds = {each["kind"] for each in found["findings"]} | {each["kind"] for each in found["waits"]}
    assert kinds == {
        "stall", "stall_held", "cpu_thread", "pool_wait", "own_pool_wait", "dns_slow", "task_lost", "task_left",
        "exception_unseen", "never_awaited", "loop_error", "thread_stuck", "wait",
    }  # fmt: skip
    assert set(found["findings"][0]) == {"kind", "place", "count", "seconds", "longest", "says", "cure", "details"}
    assert set(found["findings"][0]["place"]) == {"file", "line", "function", "source"}


def test_what_cannot_be_seen_is_always_said() -> None:
    limits = report(Ledger(), missed=3, unfollowed=4, knows="nothing").limits
    assert set(BLIND) < set(limits)
    assert [limit for limit in limits if "--light" in limit]
    assert [limit for limit in limits if "up to 4 tasks" in limit]
    assert [limit for limit in limits if limit.startswith("3 more facts")]


def test_durations_are_written_as_people_read_them() -> None:
    assert [seconds(value) for value in (0.0, 0.0994, 0.1, 1.234, 10.04, 1234.5)] == [
        "0 ms", "99 ms", "0.10 s", "1.23 s", "10.0 s", "1,234.5 s",
    ]  # fmt: skip
