"""What an output holds already: which inputs are done, in a few bytes each, read without decoding the records."""

from __future__ import annotations

import json
import os
import re
from array import array
from collections.abc import Iterator
from typing import Any

from .exits import BadUsage
from .reading.item import short

OK, LOST, CANCELLED = 1, 2, 3
STATES = {"ok": OK, "failed": LOST, "timed_out": LOST, "cancelled": CANCELLED}

_BITS = 3  # of the digest's 64, the last two make room for the state
_BLOCK = 1 << 17  # fits a core's cache: twice as fast as megabytes
_FAR = 1 << 20  # line numbers that leave a longer gap than this go into a dict
_SHOWN = 100

# The shape that records.py gives a record: a tenth of the time of decoding it (benchmarks: run_resume).
_RECORD = re.compile(
    rb'\{"line":(\d{1,18}),"input":"([0-9a-f]{16})","outcome":"(ok|failed|timed_out|cancelled)",[^\n]*\}\n'
)
_STATES_BYTES = {name.encode(): state for name, state in STATES.items()}


class Held:
    """Which inputs have an outcome.

    Args:
      by_place: whether an input is known by its number and its content; else by its content alone.
      again: whether what failed or timed out is to run again.

    Attributes:
      records: how many records were read.
      skipped_ok, skipped_lost: how many inputs were skipped, by how they had ended.

    Of two records for the same number the later one counts. What was cancelled is not done. Memory: 8 bytes for each
    number, or some 100 for each content.
    """

    def __init__(self, *, by_place: bool, again: bool) -> None:
        self.records = 0
        self.skipped_ok = 0
        self.skipped_lost = 0
        self._by_place = by_place
        self._again = again
        self._near = array("Q")
        self._far: dict[int, int] = {}

    def note(self, number: int, digest: int, state: int) -> None:
        """Take one record in."""
        self.records += 1
        if not self._by_place:
            self._far[digest] = state
            return
        entry = digest & ~_BITS | state
        try:
            self._near[number] = entry
        except IndexError:
            self._note_beyond(number, entry)

    def has(self, number: int, digest: int) -> bool:
        """Say whether the input is to be skipped, and count it if so."""
        if self._by_place:
            entry = self._near[number] if number < len(self._near) else self._far.get(number, 0)
            if (entry ^ digest) > _BITS:  # another content, or nothing
                return False
            state = entry & _BITS
        else:
            state = self._far.get(digest, 0)
        if state == OK:
            self.skipped_ok += 1
            return True
        if state == LOST and not self._again:
            self.skipped_lost += 1
            return True
        return False

    def note_lines(self, block: bytes) -> int:
        """Take in records as JSON lines; return how many of them were of our shape."""
        near, before = self._near, self.records
        found = _RECORD.findall(block)
        if not self._by_place:
            for number, digest, outcome in found:
                self.note(int(number), int(digest, 16), _STATES_BYTES[outcome])
            return len(found)
        for text, digest, outcome in found:
            number = int(text)
            entry = int(digest, 16) & ~_BITS | _STATES_BYTES[outcome]
            if number < len(near):
                near[number] = entry
            else:
                self._note_beyond(number, entry)
        self.records = before + len(found)
        return len(found)

    def _note_beyond(self, number: int, entry: int) -> None:
        near = self._near
        if number > len(near) + _FAR:
            self._far[number] = entry
            return
        near.frombytes(bytes(8 * max(1024, number + 1 - len(near), len(near) // 8)))
        near[number] = entry
        for far in [each for each in self._far if each < len(near)]:
            near[far] = self._far.pop(far)


def read_lines(path: str, fd: int, function: str, held: Held) -> int:
    """Take the JSON lines of an output into *held*; return how many bytes of it are whole records.

    Args:
      path: what messages call it.
      fd: open for reading.
      function: what is to be called; an output of another function is refused.

    Raises:
      BadUsage: it holds something else than outcomes of *function*.
    """
    size = os.fstat(fd).st_size
    at = number = 0
    for block in _blocks(fd):
        if at == 0:
            _check_first(path, block, function)
        lines, before = block.count(b"\n"), held.records
        if held.note_lines(block) != lines:
            held.records = before
            _note_slowly(path, block, held, number)
        at += len(block)
        number += lines
    if at < size:
        _check_half(path, os.pread(fd, 1 << 16, at), is_first=at == 0, number=number + 1)
    return at


def _blocks(fd: int) -> Iterator[bytes]:
    """Yield whole lines, many at once; the rest of the file is half a line."""
    at = 0
    block_bytes = _BLOCK
    while block := os.pread(fd, block_bytes, at):
        end = block.rfind(b"\n") + 1
        if end == 0:
            if len(block) < block_bytes:
                return
            block_bytes *= 2  # a line longer than a block
            continue
        at += end
        yield block[:end]
        block_bytes = _BLOCK


def _note_slowly(path: str, block: bytes, held: Held, number: int) -> None:
    """Take in lines of which one at least isn't of our shape: another program may have written them anew."""
    for text in block.splitlines():
        number += 1
        if text.strip():
            record = _decoded(text)
            if record is None:
                raise BadUsage(
                    f"--output {path}, line {number}, is no outcome of linecook: {_shown(text)}. "
                    "Name another file, or mend that line."
                )
            held.note(*record)


def _decoded(text: bytes) -> tuple[int, int, int] | None:
    try:
        record: dict[str, Any] = json.loads(text)
        return int(record["line"]), int(record["input"], 16), STATES[record["outcome"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _check_first(path: str, block: bytes, function: str) -> None:
    first = block.partition(b"\n")[0]
    if _decoded(first) is None:
        raise BadUsage(
            f"--output {path} holds something else already; its first line is: {_shown(first)}. "
            "Name another file, or move this one away."
        )
    check_function(path, json.loads(first).get("function"), function)


def check_function(path: str, theirs: object, function: str) -> None:
    """Refuse the outcomes of another function.

    Raises:
      BadUsage: *theirs* is not *function*.
    """
    if theirs != function:
        raise BadUsage(
            f"--output {path} holds outcomes of {theirs}, and this run calls {function}. "
            "Name another file, or move this one away."
        )


def _check_half(path: str, half: bytes, *, is_first: bool, number: int) -> None:
    """Refuse to cut off what isn't the beginning of a record, or what a crash leaves of one."""
    start = b'{"line":'
    if not (half.startswith(start) or start.startswith(half) or not half.strip(b"\0")):
        what = "holds something else already; its first line is" if is_first else f"ends with no outcome, line {number}"
        raise BadUsage(f"--output {path} {what}: {_shown(half)}. Name another file, or move this one away.")


def _shown(text: bytes) -> str:
    return short(text[: 4 * _SHOWN].decode(errors="replace"), _SHOWN)
