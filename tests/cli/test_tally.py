"""The summary: counts, first failures by cause, in bounded memory."""

from __future__ import annotations

from typing import NamedTuple

from linecook.cli.records import Record
from linecook.cli.tally import MAX_CAUSES, SHOWN_CAUSES, Tally


class Spent(NamedTuple):
    running: float
    queued: float = 0.0
    attempts: int = 1
    lane: str = "loop"


def failed(line: int, kind: str, message: str, at: str | None = None) -> Record:
    error = {"type": kind, "message": message} | ({"at": at} if at else {})
    return Record(line, 0, "failed", error=error)


def told(tally: Tally, not_started: str = "0") -> str:
    return "\n".join(tally.summary(not_started))


def test_failures_from_one_line_of_code_are_one_cause_with_its_first_lines() -> None:
    tally = Tally()
    for line in range(1, 9):
        tally.add(failed(line, "KeyError", f"'page {line}'", "desk.py:12 in fetch"))
    text = told(tally)
    assert "8 failed: KeyError at desk.py:12 in fetch: 'page 1'" in text
    assert "lines 1, 2, 3, 4, 5, …" in text
    assert "page 2" not in text


def test_without_a_line_of_code_the_text_decides_numbers_left_out() -> None:
    tally = Tally()
    tally.add(failed(3, "UnreadableLine", "line 3: not JSON at column 7"))
    tally.add(failed(5, "UnreadableLine", "line 5: not JSON at column 17"))
    tally.add(failed(6, "UnreadableLine", "line 6: not UTF-8"))
    text = told(tally)
    for seconds in ("1 s", "1.01 s", "9.8e-05 s"):
        tally.add(failed(9, "TimedOutError", f"late by {seconds}"))
    text = told(tally)
    assert "2 failed: UnreadableLine: line 3: not JSON at column 7" in text
    assert "3 failed: TimedOutError: late by 1 s" in text
    assert "1 failed: UnreadableLine: line 6: not UTF-8\n      line 6" in text


def test_outcomes_are_counted_and_what_never_began_is_said() -> None:
    tally = Tally()
    tally.add(Record(1, 0, "ok", times=Spent(0.5)))
    tally.add(Record(2, 0, "ok", times=Spent(2.25)))
    tally.add(Record(3, 0, "timed_out", error={"type": "TimedOutError", "message": "late"}, times=Spent(1.0)))
    text = told(tally, "1,234")
    assert text.startswith("3 items in ")
    assert "2 ok, 1 timed out; not started: 1,234" in text
    assert "slowest: line 2, 2.25 s" in text
    assert "cancelled" not in text


def test_a_million_causes_do_not_fill_the_memory() -> None:
    tally = Tally()
    for line in range(MAX_CAUSES * 4):
        tally.add(failed(line, f"Error{line}", "x", f"f.py:{line} in f"))
    text = told(tally)
    assert f"{MAX_CAUSES * 4 - SHOWN_CAUSES} more, of other causes" in text
    assert len(text.splitlines()) < 40
