"""Which format an input has, by its name; opened, and looked at as far as that can be done beforehand."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import PurePath

from ..arguments import Signature
from ..exits import BadUsage
from .chunks import Bytes
from .csv_rows import CSVRows
from .files import Files, is_pattern
from .item import Chunks, Format, Unreadable
from .json_list import JSONList
from .jsonl import JSONLines
from .sniffing import check_gzip, check_start
from .txt import TextLines

FORMATS = ".jsonl, .json, .csv, .txt (each also .gz), a directory, a quoted pattern, or - for JSON lines from a pipe"
_LINES = {".jsonl": ".jsonl", ".ndjson": ".jsonl", ".json": ".json", ".csv": ".csv", ".txt": ".txt", "": ".jsonl"}
_HEADER_BYTES = 1 << 20


class Source:
    """An input: its format and, but for a directory, its bytes, which stay open as long as the process lives.

    Attributes:
      path: as typed.
      format: how items stand in it.
      data: its bytes; None for files that are items themselves.
    """

    def __init__(self, path: str, kind: Format, data: Bytes | None) -> None:
        self.path = path
        self.format = kind
        self.data = data

    @property
    def has_length(self) -> bool:
        """Whether the number of items can be known beforehand: a file's can, a pipe's can't."""
        return self.data is None or self.data.is_file

    def chunks(self, wake: int | None = None) -> Chunks:
        """Return the bytes from the start; see ``Bytes.chunks``."""
        return iter(()) if self.data is None else self.data.chunks(wake)


def open_source(
    path: str, signature: Signature, *, stdin: int = 0, ignore_extra: bool = False, leave_out: str | None = None
) -> Source:
    """Open the input at *path*.

    Args:
      path: a file, a directory, a pattern, or ``"-"``.
      signature: of the function that is called for each item.
      stdin: a descriptor of standard input.
      ignore_extra: keys and columns that name no parameter are left out.
      leave_out: where outcomes are written: no item, should it be in the directory.

    Raises:
      BadUsage: it can't be opened, isn't what its name says, or its columns don't fit the function.
    """
    if path != "-" and (os.path.isdir(path) or is_pattern(path)):
        return Source(path, Files(signature, path, leave_out=leave_out), None)
    suffix, is_gzip = _suffix(path)
    fd = stdin if path == "-" else _opened(path)
    try:
        data = Bytes(fd, is_gzip=is_gzip)
        start = _start(path, suffix, data, is_gzip)
        return Source(path, _format(path, suffix, signature, start, ignore_extra), data)
    except BaseException:
        if path != "-":
            os.close(fd)
        raise


def _format(path: str, suffix: str, signature: Signature, start: bytes, ignore_extra: bool) -> Format:
    if suffix == ".csv":
        return CSVRows(signature, path, start, ignore_extra=ignore_extra)
    if suffix == ".txt":
        return TextLines(signature)
    if suffix == ".json":
        return JSONList(signature, ignore_extra=ignore_extra)
    return JSONLines(signature, ignore_extra=ignore_extra)


def _suffix(path: str) -> tuple[str, bool]:
    name = PurePath(path)
    is_gzip = name.suffix.lower() == ".gz"
    if is_gzip:
        name = name.with_suffix("")
    suffix = _LINES.get(name.suffix.lower())
    if suffix is None and not _is_device(path):
        raise BadUsage(f"--input {path}: {name.suffix} is no format known here; give {FORMATS}.")
    return suffix or ".jsonl", is_gzip


def _start(path: str, suffix: str, data: Bytes, is_gzip: bool) -> bytes:
    if suffix == ".csv" and not data.is_file:
        raise BadUsage(f"--input {path} is a pipe, and the columns of a .csv are looked at first: save it as a file.")
    if not data.size:
        return b""
    try:
        if is_gzip:
            check_gzip(path, data.start(2))
        start = _first(data.chunks())
    except OSError as error:
        raise BadUsage(f"--input {path}: {error.strerror}.") from None
    except Unreadable as error:
        raise BadUsage(f"--input {path}: {error}.") from None
    check_start(path, suffix, start[:4096], is_gzip=is_gzip)
    return start


def _first(chunks: Iterator[bytes | None]) -> bytes:
    """Return the first bytes, at least a line if that isn't longer than any header."""
    start = b""
    for chunk in chunks:
        start += chunk or b""
        if b"\n" in start or len(start) >= _HEADER_BYTES:
            break
    return start


def _is_device(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BadUsage(f"--input {path}: {error.strerror}." + _similar(path)) from None


def _similar(path: str) -> str:
    from difflib import get_close_matches

    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return ""
    close = get_close_matches(name, names, 1)
    return f" Did you mean {os.path.join(folder, close[0])}?" if close else ""
