"""Outcomes as a table: one row each, the fields of the value as columns, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

from .exits import BadUsage
from .held import STATES, Held, check_function
from .reading.item import short
from .records import Record, encode

FIRST = ("line", "input", "outcome")
LAST = ("error", "error_type", "at", "work", "queued", "running", "attempts", "lane", "function", "more")
MOST_WAITING = 64
MOST_CELL = (1 << 31) - 1  # characters; Python's own bound, 131,072, is less than a page that was fetched
BOM = "\ufeff"  # by which Excel knows UTF-8; pandas, polars and csv's utf-8-sig leave it out


class Table:
    """Records as rows of CSV.

    Args:
      function: what was called; stands in each row.
      fields: of the value, when they are known beforehand; None takes those of the first that succeeds.
      header: of the file that is written on; None for a new one.

    The columns are: line, input, outcome; the fields of a value that is an object, or ``value`` for any other; error,
    error_type, at, work, queued, running, attempts, lane, function; and ``more``, JSON of the fields that no column
    was made for. Lists and objects in a cell are JSON. What fails before the columns are known waits, 64 rows at most.
    """

    def __init__(
        self, function: str, *, fields: Sequence[str] | None = None, header: Sequence[str] | None = None
    ) -> None:
        self._function = function
        self._waiting: list[Record] = []
        self._names: dict[str, str] | None = None  # column by field of the value
        self._is_new = header is None
        if header is not None:
            own = header[len(FIRST) : len(header) - len(LAST)]
            self._names = {name.removeprefix("value."): name for name in own}
        elif fields is not None:
            self._names = _columns(fields)

    def entry(self, record: Record) -> bytes:
        if self._names is None:
            if record.error is not None and len(self._waiting) < MOST_WAITING:
                self._waiting.append(record)
                return b""
            value = _plain(record.value)[0] if record.error is None else None
            self._names = _columns(cast("dict[str, Any]", value) if isinstance(value, dict) and value else ("value",))
        return self._rows([*self._take_waiting(), record])

    def rest(self) -> bytes:
        if not self._waiting:
            return b""
        self._names = self._names or {"value": "value"}
        return self._rows(self._take_waiting())

    def _take_waiting(self) -> list[Record]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _rows(self, records: Sequence[Record]) -> bytes:
        assert self._names is not None
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self._is_new:
            self._is_new = False
            text.write(BOM)
            writer.writerow([*FIRST, *self._names.values(), *LAST])
        writer.writerows(self._row(record, self._names) for record in records)
        return text.getvalue().encode(errors="backslashreplace")

    def _row(self, record: Record, names: Mapping[str, str]) -> list[str]:
        values, more = ({}, {}) if record.error is not None else _fields(record.value, names)
        error, times = dict(record.error or {}), record.times
        told = [error.pop("message", None), error.pop("type", None), error.pop("at", None)]
        spent = (times.queued, times.running, times.attempts, times.lane) if times else (0.0, 0.0, 0, None)
        cells = [
            *(record.line, f"{record.digest:016x}", record.outcome),
            *(values.get(name) for name in names),
            *told,
            *(record.work, f"{spent[0]:.6f}", f"{spent[1]:.6f}", *spent[2:], self._function),
            {**more, **error} or None,
        ]
        return [_cell(each) for each in cells]


def _fields(value: Any, names: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of *value* that have a column, and the others."""
    plain, foreign = _plain(value)
    has_fields = isinstance(plain, dict) and list(names) != ["value"]
    values: dict[str, Any] = cast("dict[str, Any]", plain) if has_fields else {"value": plain}
    more = {name: each for name, each in values.items() if name not in names}
    return values, more | ({"not_json": foreign} if foreign else {})


def _columns(fields: Sequence[str] | Mapping[str, Any]) -> dict[str, str]:
    """Return the column of each field; one that is called like a column of ours is ``value.`` and its name."""
    taken = {*FIRST, *LAST}
    return {name: f"value.{name}" if name in taken or name.startswith("value.") else name for name in fields}


def _plain(value: Any) -> tuple[Any, list[str]]:
    text, foreign = encode(value)
    return json.loads(text), foreign


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def fields_of(function: Callable[..., Any]) -> list[str] | None:
    """Return the fields of what *function* says it returns; None when it doesn't say, or that has none."""
    try:
        kind: Any = typing.get_type_hints(function).get("return")
    except Exception:  # names that exist for the type checker only
        return None
    if not isinstance(kind, type):
        return None
    return _fields_of_type(kind) or None


def _fields_of_type(kind: Any) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if typing.is_typeddict(kind):
        return list(kind.__annotations__)
    names: Any = getattr(kind, "model_fields", None) or getattr(kind, "__struct_encode_fields__", ())
    return list(names)


# -- reading one again ---------------------------------------------------------------------------------------------


def read_table(path: str, fd: int, function: str, held: Held) -> tuple[int, list[str] | None]:
    """Take the rows of an output into *held*.

    Args:
      path: what messages call it.
      fd: open for reading.
      function: what is to be called; an output of another function is refused.

    Returns:
      How many bytes of it are whole rows, and its header; None when that isn't whole.

    Raises:
      BadUsage: it holds something else than outcomes of *function*.
    """
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), "rb", buffering=1 << 20) as file:
        return _read_rows(path, _Lines(file), function, held)


def _read_rows(path: str, lines: _Lines, function: str, held: Held) -> tuple[int, list[str] | None]:
    before = csv.field_size_limit(MOST_CELL)
    try:
        return _read_cells(path, lines, function, held)
    finally:
        csv.field_size_limit(before)


def _read_cells(path: str, lines: _Lines, function: str, held: Held) -> tuple[int, list[str] | None]:
    rows = csv.reader(lines, strict=True)
    header: list[str] | None = None
    whole = 0
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            if str(error) != "unexpected end of data":
                raise BadUsage(f"--output {path}, line {rows.line_num}, is no outcome of linecook: {error}.") from None
            row = None
        if row is None or not lines.is_whole:
            _check_start(path, lines, header)
            return whole, header
        if header is None:
            header = _checked_header(path, row)
        elif row:
            _note(path, rows.line_num, dict(zip(header, row, strict=False)), function, held)
        whole = lines.at


def _checked_header(path: str, row: list[str]) -> list[str]:
    row[0] = row[0].removeprefix(BOM)
    if tuple(row[: len(FIRST)]) != FIRST or tuple(row[-len(LAST) :]) != LAST:
        raise BadUsage(
            f"--output {path} holds something else already; its first line is: {short(','.join(row), 100)}. "
            "Name another file, or move this one away."
        )
    return row


def _check_start(path: str, lines: _Lines, header: list[str] | None) -> None:
    """Refuse a file whose only line is half of something else."""
    start = (BOM + ",".join(FIRST)).encode()
    if header is None and lines.first and not (lines.first.startswith(start) or start.startswith(lines.first)):
        _checked_header(path, [lines.first[:100].decode(errors="replace")])


def _note(path: str, number: int, row: Mapping[str, str], function: str, held: Held) -> None:
    try:
        entry = int(row["line"]), int(row["input"], 16), STATES[row["outcome"]]
    except (ValueError, KeyError):
        shown = short(",".join(row.values()), 100)
        raise BadUsage(
            f"--output {path}, line {number}, is no outcome of linecook: {shown}. Name another file, or mend that line."
        ) from None
    if held.records == 0:
        check_function(path, row.get("function"), function)
    held.note(*entry)


class _Lines(Iterator[str]):
    """The lines of a file, with their ends.

    Attributes:
      at: how many bytes were handed out.
      first: the first line.
      is_whole: whether the last one handed out had its end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.at = 0
        self.first = b""
        self.is_whole = True

    def __next__(self) -> str:
        line = self._file.readline()
        if not line:
            raise StopIteration
        self.first = self.first or line
        self.at += len(line)
        self.is_whole = line.endswith(b"\n")
        return line.decode(errors="surrogateescape")
