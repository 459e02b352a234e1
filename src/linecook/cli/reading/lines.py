"""Bytes to lines: numbers, without their ends and blank ones, a huge line in linear time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .item import Chunks, Unreadable

BOM = b"\xef\xbb\xbf"
MOST_LINE = 1 << 30  # bytes; a device, or a program gone mad, can go on without a line end until the memory is full


def split(chunks: Chunks) -> Iterator[list[bytes] | None]:
    """Yield the lines that have come together, without their ends; None wherever *chunks* has one.

    Only the last line may lack its end.

    Raises:
      Unreadable: a line is longer than 1 GiB.
    """
    pending: list[bytes] = []  # pieces of one line, joined once: a huge line costs linear time
    pending_bytes = 0
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        whole = chunk.split(b"\n")
        rest = whole.pop()
        if whole:
            if pending:
                whole[0] = b"".join([*pending, whole[0]])
                pending, pending_bytes = [], 0
            yield whole
        if rest:
            pending.append(rest)
            pending_bytes += len(rest)
            if pending_bytes > MOST_LINE:
                raise Unreadable("a line of it is longer than 1 GiB, and each line is one item")
    if pending:
        yield [b"".join(pending)]


def numbered(chunks: Chunks, clean: Callable[[bytes], bytes] = bytes.strip) -> Iterator[tuple[int, bytes] | None]:
    """Yield number, from 1, and content of each line that holds something; None as ``split``.

    Args:
      clean: takes off what doesn't belong to the content; what it leaves nothing of is a blank line.
    """
    number = 0
    for lines in split(chunks):
        if lines is None:
            yield None
            continue
        if number == 0:
            lines[0] = lines[0].removeprefix(BOM)
        for line in lines:
            number += 1
            if line := clean(line):
                yield number, line
