"""One line of JSON per call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from linecook.cli.records import Lines, Record, described, encode


@dataclass
class Finding:
    path: Path
    lines: set[int]


class Spent(NamedTuple):
    queued: float = 0.0
    running: float = 0.0
    attempts: int = 1
    lane: str = "loop"


class Socket:
    def __repr__(self) -> str:
        return "<Socket 3>"


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def as_json(value: Any) -> tuple[Any, list[str]]:
    text, foreign = encode(value)
    return json.loads(text), foreign


def test_what_json_can_hold_is_written_as_it_is() -> None:
    assert as_json({"a": [1, 2.5, None, "ü"]}) == ({"a": [1, 2.5, None, "ü"]}, [])
    assert as_json(Finding(Path("a.py"), {7})) == ({"path": "a.py", "lines": [7]}, [])
    assert as_json(datetime(2026, 1, 2, tzinfo=UTC)) == ("2026-01-02T00:00:00Z", [])
    assert as_json(b"ab") == ("YWI=", [])
    assert as_json(10**30) == (10**30, [])
    assert as_json(float("nan")) == (None, [])


def test_what_json_cannot_hold_stands_as_its_repr_and_its_type_is_named() -> None:
    value, foreign = as_json({"ok": 1, "socket": Socket()})
    assert value == {"ok": 1, "socket": "<Socket 3>"}
    assert foreign == [f"{__name__}.Socket"]


def test_a_list_that_holds_itself_and_a_lone_surrogate_are_written_as_repr() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert as_json(endless) == ("[[...]]", ["list"])
    assert as_json("\ud800") == ("'\\ud800'", ["str"])
    assert as_json({(1, 2): 3}) == ({"(1, 2)": 3}, ["tuple"])


def test_a_record_is_one_line_with_the_documented_fields() -> None:
    text = Lines("desk:review").entry(Record(7, 255, "ok", value="a\nb", times=Spent(0.25, 1.0, 2, "thread")))
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert json.loads(text) == {
        "line": 7,
        "input": "00000000000000ff",
        "outcome": "ok",
        "value": "a\nb",
        "work": "finished",
        "queued": 0.25,
        "running": 1.0,
        "attempts": 2,
        "lane": "thread",
        "function": "desk:review",
    }


def test_a_failure_tells_type_message_place_notes_and_cause() -> None:
    try:
        try:
            raise KeyError("k")
        except KeyError as cause:
            raise ValueError("no \ud800 soup") from cause
    except ValueError as caught:
        caught.add_note("call fetch, attempt 1")
        told = described(caught)
    assert told["type"] == "ValueError"
    assert told["message"] == "no \\ud800 soup"
    assert told["notes"] == ["call fetch, attempt 1"]
    assert told["cause"] == "KeyError: 'k'"
    assert told["at"].startswith("test_records.py:")
    assert json.loads(Lines("f:g").entry(Record(1, 0, "failed", error=told)))["error"] == told


def test_an_exception_without_words_is_still_told() -> None:
    assert described(Mute())["message"] == "<Mute whose text can't be made>"


@pytest.mark.parametrize("value", [Mute, Mute(), object, lambda: 0])
def test_nothing_makes_encoding_raise(value: Any) -> None:
    assert as_json(value)[1]
