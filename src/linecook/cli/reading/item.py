"""One item of the input, and what every format tells of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

SHOWN_WIDTH = 60

Chunks = Iterator[bytes | None]
"""Bytes of the input in order; None wherever there is nothing more at this moment."""


@dataclass(slots=True)
class Item:
    """One item of the input.

    Attributes:
      number: of its line, or its place in a list or directory; from 1.
      digest: 64 bits that stand for its content: the same again for the same content.
      raw: its content, as its format reads it.
      args, kwargs: of its call.
      problem: why there is no call; None when there is one.
      kind: what kind of problem: ``"UnreadableLine"`` or ``"BadArguments"``.
    """

    number: int
    digest: int
    raw: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    problem: str | None = None
    kind: str = ""


class Unreadable(ValueError):
    """An item isn't what its format says; the message says where."""


class Format(Protocol):
    """How items stand in one kind of input.

    Attributes:
      by_place: whether an item is known by its number and its content; else by its content alone.
      unit: what an item is called: ``"line"``, ``"item"`` or ``"file"``.
    """

    by_place: bool
    unit: str

    def pieces(self, chunks: Chunks, /) -> Iterator[tuple[int, Any] | None]:
        """Yield number and raw content of each item, in order; None wherever there is nothing more at this moment.

        Raises:
          Unreadable: the input as a whole isn't what it should be.
        """
        ...

    def digest(self, raw: Any, /) -> int:
        """Return 64 bits that stand for the content."""
        ...

    def weigh(self, raw: Any, /) -> int:
        """Return about how many bytes it takes."""
        ...

    def bind(self, raw: Any, /) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments that the item holds.

        Raises:
          Unreadable: it isn't what its format says.
          BadArguments: they don't fit the function.
        """
        ...

    def shown(self, raw: Any, /) -> str:
        """Return the item in a few characters."""
        ...


_new = hashlib.blake2b(digest_size=8).copy  # a copy is made in half the time of a new one (benchmarks: run_resume)


def digest_of(content: bytes) -> int:
    """Return 64 bits of BLAKE2b over *content*."""
    hashed = _new()
    hashed.update(content)
    return int.from_bytes(hashed.digest())


def short(text: str, width: int = SHOWN_WIDTH) -> str:
    """Return the beginning of *text*, on one line, with what is not printable escaped."""
    start = text[: width * 4].strip()
    start = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in start)
    return start if len(start) <= width and len(text) <= width * 4 else start[:width] + "…"
