"""What a trace has noted of asyncio's locks, kept on the locks themselves."""

from __future__ import annotations

import asyncio
import weakref
from types import CodeType
from typing import Any, NamedTuple

HELD = "_linecook_held"
SAID = "_linecook_said"

traces: list[Any] = []
"""The traces under way."""


class Taken(NamedTuple):
    """One holding of one lock: by which task, taken where."""

    task: weakref.ref[asyncio.Task[Any]]
    name: str
    code: CodeType
    line: int


def is_tracing() -> bool:
    """Say whether a trace is under way."""
    return bool(traces)


def holders_noted(thing: Any) -> list[Taken]:
    """Return who holds *thing*, as noted; empty when no trace has seen it."""
    return list(getattr(thing, HELD, ()))


def last_said(event: Any) -> tuple[str, str, CodeType, int] | None:
    """Return what was done to *event* last (``"set"``, ``"cleared"``), by whom and where; None: nothing was seen."""
    said: tuple[str, str, CodeType, int] | None = getattr(event, SAID, None)
    return said


def orders_found() -> list[Any]:
    """Return the locks taken in both orders that the traces under way have found."""
    return [order for trace in list(traces) for order in trace.orders]
