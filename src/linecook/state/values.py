"""What a shared value may be: something that nobody can change in place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, MutableMapping, MutableSequence, MutableSet
from typing import Any

from .._core.errors import UsageError


class Missing:
    """Stands for the value of a key that a map doesn't have."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "nothing (no such key)"


MISSING = Missing()

SCALARS: frozenset[type] = frozenset((int, float, complex, bool, type(None), Missing))
"""Kinds of values that are small for certain: a read keeps them for the report."""

FINE: frozenset[type] = SCALARS | {str, bytes, tuple, frozenset}
"""Kinds of values that need no second look; the others take one."""


LONG = 200
"""Characters of a string up to which it counts as small as well."""


class _NotKept:
    """Stands for a value that nobody kept."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "a value that was not kept"


NOT_KEPT = _NotKept()


def kept(value: Any) -> Any:
    """Return *value* if a read may keep it for a report, else ``NOT_KEPT``: no read keeps a large value alive."""
    return value if type(value) in SCALARS or (type(value) is str and len(value) <= LONG) else NOT_KEPT


def check(value: object, where: Callable[[], str]) -> None:
    """Refuse *value* where it can be changed in place; *where* tells the name of the cell, if it comes to that.

    Only the object itself is looked at, not what it holds inside: a tuple of lists passes.

    Raises:
      UsageError: a mutable container, or something that should have been awaited first; the message names the cure.
    """
    if type(value) in FINE:
        return
    if isinstance(value, (MutableSequence, MutableMapping, MutableSet)):
        held: Any = value  # pyright: ignore[reportUnknownVariableType]
        raise UsageError(
            f"{where()} can't hold a {type(held).__name__}: whoever has it could change it in place, and no version "
            f"would tell. {_cure(held)}"
        )
    refuse_unawaited(value, where)


def refuse_unawaited(value: object, where: Callable[[], str]) -> None:
    """Refuse what an async function returned when it was called and not awaited.

    Raises:
      UsageError: *value* is a coroutine or an async generator; it is closed.
    """
    if isinstance(value, (Coroutine, AsyncGenerator)):
        made: Any = value  # pyright: ignore[reportUnknownVariableType]
        name = getattr(made, "__qualname__", type(made).__name__)
        if isinstance(made, Coroutine):
            made.close()  # it will never run: no second complaint, that it was not awaited
        raise UsageError(
            f"{where()} can't use {name}(...), which has not run: await it first, or give a plain function"
        )


def _cure(value: Any) -> str:
    if isinstance(value, (bytearray, memoryview)):
        return "Share bytes instead: bytes(...)."
    if isinstance(value, MutableSet):
        return "Share a frozenset instead: update(lambda seen: seen | {new})."
    if isinstance(value, MutableMapping):
        return "Use SharedMap, which has a version for every key, or a frozen dataclass."
    return "Share a tuple instead: update(lambda items: (*items, new))."
