"""What a shared value may be: something that nobody can change in place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, MutableMapping, MutableSequence, MutableSet
from typing import Any

from .._core.errors import UsageError

SCALARS: frozenset[type] = frozenset((int, float, complex, bool, type(None)))
"""Kinds of values that are small for certain: a read keeps them for the report."""

FINE: frozenset[type] = SCALARS | {str, bytes, tuple, frozenset}
"""Kinds of values that need no second look; the others take one, about 1 µs."""


class _NotKept:
    """Stands for a value that nobody kept."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "a value that was not kept"


NOT_KEPT = _NotKept()


def check(value: object, where: str) -> None:
    """Refuse *value* where it can be changed in place; *where* names the cell, for the error.

    Only the object itself is looked at, not what it holds inside: a tuple of lists passes.

    Raises:
      UsageError: a mutable container, or something that should have been awaited first; the message names the cure.
    """
    if type(value) in FINE:
        return
    kind = type(value).__name__
    if isinstance(value, (MutableSequence, MutableMapping, MutableSet)):
        raise UsageError(
            f"{where} can't hold a {kind}: whoever has it could change it in place, and no version would tell. "
            f"{_cure(value)}"  # pyright: ignore[reportUnknownArgumentType]
        )
    if isinstance(value, (Coroutine, AsyncGenerator)):
        name = getattr(value, "__qualname__", kind)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, Coroutine):
            value.close()  # it will never run: no second complaint that it was not awaited
        raise UsageError(f"{where} can't hold {name}(...), which has not run: await it first, then share its result")


def _cure(value: Any) -> str:
    if isinstance(value, (bytearray, memoryview)):
        return "Share bytes instead: bytes(...)."
    if isinstance(value, MutableSet):
        return "Share a frozenset instead: update(lambda seen: seen | {new})."
    if isinstance(value, MutableMapping):
        return "Use SharedMap, which has a version for every key, or a frozen dataclass."
    return "Share a tuple instead: update(lambda items: (*items, new))."
