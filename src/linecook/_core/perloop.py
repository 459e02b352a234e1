"""What linecook keeps for one event loop, kept on the loop itself, so that it goes when the loop goes.

A weak dictionary keyed by the loop would hold its values, which hold tasks and timers, which hold the loop: for ever.
Kept on the loop these are one cycle, which the garbage collector sees.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_NAME = "_linecook"


def kept_on(loop: asyncio.AbstractEventLoop) -> dict[Any, Any]:
    """Return what is kept for *loop*; empty at first.

    Raises:
      TypeError: the loop takes no attributes (asyncio's and uvloop's do).
    """
    kept: dict[Any, Any] | None = getattr(loop, _NAME, None)
    if kept is None:
        kept = {}
        try:
            setattr(loop, _NAME, kept)
        except AttributeError:
            raise TypeError(f"linecook can't run on {loop!r}: it has no room for an attribute of ours") from None
    return kept


def one_per_loop(loop: asyncio.AbstractEventLoop, make: Callable[[], T]) -> T:
    """Return the one thing that *make* makes for *loop*, made on first use."""
    kept = kept_on(loop)
    found: T | None = kept.get(make)
    if found is None:
        found = kept[make] = make()
    return found
