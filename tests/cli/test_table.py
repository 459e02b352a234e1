"""Outcomes as a table that a spreadsheet opens, and that can be gone on with."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import pytest

from linecook.cli.exits import BadUsage
from linecook.cli.held import Held
from linecook.cli.records import Record
from linecook.cli.table import MOST_WAITING, Table, fields_of, read_table


@dataclass
class Review:
    grade: int
    line: str = ""


class Price(TypedDict):
    amount: float


class Spent(NamedTuple):
    queued: float = 0.0
    running: float = 0.25
    attempts: int = 2
    lane: str = "thread"


def ok(line: int, value: Any) -> Record:
    return Record(line, line << 8, "ok", value=value, times=Spent())


def lost(line: int, outcome: str = "failed") -> Record:
    error = {"type": "ValueError", "message": 'no, "soup"', "at": "f.py:1 in f", "notes": ["n"]}
    return Record(line, line << 8, outcome, error=error, work="stopped")


def rows(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))


def test_the_fields_of_the_first_value_become_columns() -> None:
    table = Table("desk:review")
    first, second = rows(
        table.entry(ok(1, Review(3, "x"))) + table.entry(ok(2, {"grade": None, "line": "a\nb", "new": [1]}))
    )
    assert list(first) == [
        "line", "input", "outcome", "grade", "value.line",
        "error", "error_type", "at", "work", "queued", "running", "attempts", "lane", "function", "more",
    ]  # fmt: skip
    assert (first["line"], first["grade"], first["value.line"]) == ("1", "3", "x")
    assert (first["running"], first["attempts"], first["lane"], first["more"]) == ("0.250000", "2", "thread", "")
    assert (second["grade"], second["value.line"], second["more"]) == ("", "a\nb", '{"new": [1]}')


def test_a_plain_value_has_one_column_and_lists_stand_as_json() -> None:
    table = Table("desk:review")
    got = rows(table.entry(ok(1, "é")) + table.entry(ok(2, [1, "ü"])) + table.entry(ok(3, {"a": True})))
    assert [row["value"] for row in got] == ["é", '[1, "ü"]', '{"a": true}']


def test_a_field_that_is_called_value_is_one_field_among_others() -> None:
    table = Table("desk:review")
    got = rows(table.entry(ok(1, {"value": 3, "unit": "eur"})) + table.entry(ok(2, 7)))
    assert [(row["value"], row["unit"]) for row in got] == [("3", "eur"), ("7", "")]


def test_failures_wait_until_the_columns_are_known_and_no_longer() -> None:
    table = Table("desk:review")
    assert table.entry(lost(1)) == b""
    first, second = rows(table.entry(ok(2, {"grade": 1})))
    assert (first["line"], first["error"], first["error_type"], first["at"]) == (
        "1", 'no, "soup"', "ValueError", "f.py:1 in f",
    )  # fmt: skip
    assert first["more"] == '{"notes": ["n"]}'
    assert second["grade"] == "1"


def test_a_run_of_failures_alone_is_written_too() -> None:
    table = Table("desk:review")
    written = b"".join(table.entry(lost(n)) for n in range(MOST_WAITING + 1))
    assert len(rows(written)) == MOST_WAITING + 1
    few = Table("desk:review")
    assert few.entry(lost(1)) == b""
    assert len(rows(few.rest())) == 1
    assert few.rest() == b""


def test_columns_are_known_at_once_where_the_function_says_what_it_returns() -> None:
    def review(path: str) -> Review: ...  # type: ignore[empty-body]

    def price(path: str) -> Price: ...  # type: ignore[empty-body]

    def number(path: str) -> int: ...  # type: ignore[empty-body]

    assert fields_of(review) == ["grade", "line"]
    assert fields_of(price) == ["amount"]
    assert fields_of(number) is None
    assert rows(Table("desk:review", fields=["grade"]).entry(lost(1)))[0]["grade"] == ""


def read(path: Path) -> tuple[Held, int, list[str] | None]:
    held = Held(by_place=True, again=False)
    fd = os.open(path, os.O_RDONLY)
    try:
        return held, *read_table(str(path), fd, "desk:review", held)
    finally:
        os.close(fd)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


def test_a_table_is_gone_on_with_in_its_own_columns(out: Path) -> None:
    first = Table("desk:review")
    out.write_bytes(first.entry(ok(1, {"grade": 1, "line": "a\nb"})) + first.entry(lost(2)))
    held, whole, header = read(out)
    assert whole == out.stat().st_size
    assert [held.has(1, 1 << 8), held.has(2, 2 << 8), held.has(3, 3 << 8)] == [True, True, False]
    with out.open("ab") as file:
        file.write(Table("desk:review", header=header).entry(ok(3, {"line": "c", "grade": 2})))
    got = rows(out.read_bytes())
    assert [(row["line"], row["grade"], row["value.line"]) for row in got] == [
        ("1", "1", "a\nb"), ("2", "", ""), ("3", "2", "c"),
    ]  # fmt: skip


def test_half_a_row_is_told_apart_also_inside_a_quoted_cell(out: Path) -> None:
    table = Table("desk:review")
    whole = table.entry(ok(1, {"grade": 1, "text": "a\nb"}))
    half = table.entry(ok(2, {"grade": 1, "text": 'a\nb"c'}))
    for cut in range(1, len(half)):
        out.write_bytes(whole + half[:cut])
        held, length, _ = read(out)
        assert (length, held.records) == (len(whole), 1), cut
    out.write_bytes(whole[:20])  # not even the header
    assert read(out)[1:] == (0, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,price\nsoup,3\n", "holds something else already; its first line is: name,price"),
        (b"precious", "holds something else already"),
        (Table("desk:grade").entry(ok(1, 2)), "holds outcomes of desk:grade, and this run calls desk:review"),
        (Table("desk:review").entry(ok(1, 2)) + b"a,b,c\n", "line 3, is no outcome of linecook"),
    ],
)
def test_a_table_of_something_else_is_refused(out: Path, content: bytes, said: str) -> None:
    out.write_bytes(content)
    with pytest.raises(BadUsage, match=said):
        read(out)
