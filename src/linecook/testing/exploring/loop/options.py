"""What may happen next at a point of choice, besides an arrival; and the handles that run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .arrivals import Arrival, Fault


class Handle(asyncio.Handle):
    """asyncio's handle, made in a third of the time."""

    __slots__ = ()
    _repr = None
    _source_traceback = None
    _callback: Callable[..., Any]
    _context: Context | None

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], loop: Any, context: Context | None) -> None:
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = context  # None: a callback of ours, which sets no variables
        self._cancelled = False


class TimerHandle(asyncio.TimerHandle):
    """asyncio's timer handle; ``when`` is virtual."""

    __slots__ = ()


class Timer:
    """Time going on to the next timer.

    Args:
      every: whether all timers of that moment fire, or only the first.
    """

    __slots__ = ("every",)

    def __init__(self, every: bool) -> None:
        self.every = every


class FaultyArrival:
    """An arrival with a fault."""

    __slots__ = ("arrival", "fault")

    def __init__(self, arrival: Arrival, fault: Fault) -> None:
        self.arrival = arrival
        self.fault = fault


class Cancellation:
    """A cancel at the await where *task* is suspended."""

    __slots__ = ("task",)

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task


class Way:
    """One of several ways in which a stand-in may serve a call."""

    __slots__ = ("name", "way", "what")

    def __init__(self, whose: str, number: int, what: str, way: Any) -> None:
        self.name = f"{whose}={number}"
        self.what = f"{whose} {what}"
        self.way = way


class HoldBack:
    """Holding back the step at the head of the queue."""


DUE = Timer(every=True)
FIRST_DUE = Timer(every=False)
HOLDING = (None, HoldBack())


def is_wake_up(handle: Handle) -> bool:
    """Say whether a callback is asyncio's or ours: such a one changes nothing of the user's, it only wakes tasks."""
    callback: Any = handle._callback
    while isinstance(callback, partial):
        callback = callback.func
    module: Any = getattr(callback, "__module__", None) or ""
    return str(module).startswith(("asyncio.", "linecook."))
