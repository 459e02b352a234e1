"""Tables as text: the first row names the columns, each further row is one item."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any

from ..annotations import BadValue
from ..arguments import BadArguments, Signature
from ..exits import BadUsage
from .item import Chunks, Unreadable, digest_of, short
from .lines import BOM, split
from .txt import is_required

Row = list[str] | Unreadable
"""The cells of a row, or what is wrong with it."""

MOST_CELL = 1 << 27  # characters; Python's own bound, 131,072, is less than a web page


class CSVRows:
    """Reads rows; the columns name parameters, and the cells are read by their annotations.

    Args:
      signature: of the function.
      path: what messages call the file.
      header: the first row of the file, or more of it.
      ignore_extra: columns that name no parameter are left out.

    An empty cell is None where that is allowed, else the parameter's default, else a problem. Commas separate cells;
    semicolons or tabs do where the first row has no comma. Quoted cells may hold commas, quotes and line ends.

    Raises:
      BadUsage: the columns don't fit the function.
    """

    by_place = True
    unit = "line"

    def __init__(self, signature: Signature, path: str, header: bytes, *, ignore_extra: bool = False) -> None:
        csv.field_size_limit(MOST_CELL)
        self._signature = signature
        self._delimiter = _delimiter(header)
        self._header = _first_row(path, header, self._delimiter)
        self._places = _places(signature, path, self._header, ignore_extra)
        self._empty = {name: _of_empty(signature, name) for name in self._places.values()}

    def pieces(self, chunks: Chunks) -> Iterator[tuple[int, Row] | None]:
        rows = _rows(chunks, self._delimiter)
        next(rows, None)  # the header
        yield from rows

    def digest(self, raw: Row) -> int:
        if isinstance(raw, Unreadable):
            return digest_of(str(raw).encode())
        # Of the columns that are used, by name: their order, and what --ignore-extra leaves out, change no item.
        known = sorted((name, raw[place]) for place, name in self._places.items() if place < len(raw))
        return digest_of("\0".join(f"{name}\0{cell}" for name, cell in known).encode(errors="surrogateescape"))

    def weigh(self, raw: Row) -> int:
        return 0 if isinstance(raw, Unreadable) else sum(map(len, raw))

    def bind(self, raw: Row) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if isinstance(raw, Unreadable):
            raise raw
        if len(raw) != len(self._header):
            raise Unreadable(
                f"it has {len(raw)} cells, and the first row names {len(self._header)} columns "
                "(a cell that holds a comma stands in quotes)"
            )
        cells: dict[str, str | None] = {}
        for place, name in self._places.items():
            cell = raw[place]
            if cell.strip():
                cells[name] = _utf8(name, cell)
            elif (empty := self._empty[name]) == "none":
                cells[name] = None
            elif empty == "required":
                raise BadArguments(
                    f"column {name!r} is empty, and {self._signature.name}{self._signature.shown()} needs it. "
                    f"Fill it in, or give {name} a default"
                )
        return self._signature.bind_text(cells)

    def shown(self, raw: Row) -> str:
        return "" if isinstance(raw, Unreadable) else short(self._delimiter.join(raw))


def _utf8(name: str, cell: str) -> str:
    try:
        cell.encode()
    except UnicodeEncodeError as error:
        byte = ord(cell[error.start]) - 0xDC00
        raise Unreadable(
            f"not UTF-8: byte {byte:#04x} in column {name!r}. Save the file as UTF-8, or convert it: "
            "iconv -f CP1252 -t UTF-8"
        ) from None
    return cell


def _delimiter(header: bytes) -> str:
    line = header.partition(b"\n")[0]
    if b"," in line:
        return ","
    return ";" if b";" in line else "\t" if b"\t" in line else ","


def _first_row(path: str, header: bytes, delimiter: str) -> list[str]:
    _, row = next(_rows(iter([header]), delimiter), (1, None))
    if row is None:
        raise BadUsage(f"--input {path} is empty: the first row of a .csv names the columns.")
    if isinstance(row, Unreadable):
        raise BadUsage(f"--input {path}: the first row can't be read: {row}.")
    return [name.strip() for name in row]


def _places(signature: Signature, path: str, header: Sequence[str], ignore_extra: bool) -> dict[int, str]:
    """Return the parameter of each column that is used."""
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BadUsage(f"--input {path} has more than one column {twice[0]!r}: rename all but one.")
    named = {name: each for name, each in signature.parameters.items() if each.kind is not each.VAR_POSITIONAL}
    extra = [name for name in header if name not in named and not signature.takes_any_name]
    if extra and not ignore_extra:
        columns = ", ".join(map(repr, extra[:5])) + (" …" if len(extra) > 5 else "")
        columns = f"columns {columns} name" if len(extra) > 1 else f"column {columns} names"
        raise BadUsage(
            f"--input {path}: {columns} no parameter of "
            f"{signature.name}{signature.shown()}. The first row names the columns; --ignore-extra leaves out what is "
            "too much."
        )
    missing = [name for name, each in named.items() if is_required(each) and name not in header]
    if missing:
        raise BadUsage(
            f"--input {path} has no column {missing[0]!r}, and {signature.name}{signature.shown()} needs it; "
            f"its columns are: {', '.join(header[:12])}."
        )
    return {place: name for place, name in enumerate(header) if name not in extra}


def _of_empty(signature: Signature, name: str) -> str:
    """Say what an empty cell means for the parameter *name*: ``"none"``, ``"default"`` or ``"required"``."""
    parameter = signature.parameters.get(name)
    has_default = parameter is not None and parameter.default is not parameter.empty
    converter = signature.converter(name)
    if converter is None:
        return "default" if has_default else "none"
    try:
        converter.from_json(None)
    except BadValue:
        return "default" if has_default else "required"
    return "none"


def _rows(chunks: Chunks, delimiter: str) -> Iterator[tuple[int, Row]]:
    """Yield each row that isn't blank, with the number of the line on which it begins; the error of a broken one."""
    rows = csv.reader(_texts(chunks), delimiter=delimiter, strict=True)
    while True:
        began = rows.line_num + 1
        try:
            row: Row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            row = Unreadable(_WORDS.get(str(error), str(error)))
        if row:
            yield began, row


_WORDS = {"unexpected end of data": "a quote is opened here and never closed"}


def _texts(chunks: Chunks) -> Iterator[str]:
    is_first = True
    for lines in split(chunks):
        for line in lines or ():
            if is_first:
                line, is_first = line.removeprefix(BOM), False
            yield line.removesuffix(b"\r").decode(errors="surrogateescape") + "\n"
