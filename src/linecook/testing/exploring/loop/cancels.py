"""Cancellations that were asked for, delivered, and swallowed: the task went on with its work as if nothing had been.

Cleaning up is no such thing, even if it waits: whoever stands in an ``except`` or ``finally`` through which the
cancellation passes may still raise it again. Nor is one that was taken back (``uncancel``), as time-outs do.
"""

from __future__ import annotations

import asyncio
import dis
import sys
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING, Any

from ...._core.outcome import Cancelled
from ...._core.running import Running
from ...._core.supervise import _waiting_frames
from ....agents.recipe import Recipe
from ..telling.places import is_theirs, place_of

if TYPE_CHECKING:
    from ..exploration import Place

_dis: Any = dis
_running: Any = Running


class Request:
    """One cancellation of a task that was asked for.

    Attributes:
      task: the one that is to end.
      is_taken_back: by ``uncancel``. Counting open requests at the end wouldn't tell: another one may have come since.
      went_on_at: where it waited anew, outside of every handler; None: it hasn't.
    """

    __slots__ = ("_inner", "_run_by", "_waiter", "is_taken_back", "task", "went_on_at")

    def __init__(self, task: asyncio.Task[Any], waiter: Any) -> None:
        self.task = task
        self._waiter = waiter
        self._inner = _waited_for(task)
        self._run_by = _runs(task)
        self.is_taken_back = False
        self.went_on_at: Place | None = None

    def look(self) -> None:
        """Look at the task between two turns of the loop."""
        task: Any = self.task
        if self.went_on_at is None and not task.done() and not task._must_cancel:
            waiter = task._fut_waiter
            if waiter is not None and waiter is not self._waiter and not waiter.done() and not _cleans_up(task):
                self.went_on_at = place_of(task)

    def is_swallowed(self) -> bool:
        """Say whether the task has ended well, though it was to end and nobody has taken that back."""
        task: Any = self.task
        if self.is_taken_back or not task.done() or task.cancelled() or not task.cancelling():
            return False
        if self.is_pythons():
            return True
        if self.went_on_at is None or isinstance(getattr(self._run_by, "outcome", None), Cancelled):
            return False
        is_well: bool = task._exception is None  # so looked at, it isn't marked as read
        return is_well

    def is_pythons(self) -> bool:
        """Say whether ``wait_for`` swallowed it, which up to Python 3.11 drops a cancel that comes with the answer.

        https://github.com/python/cpython/issues/86296
        """
        return self._inner is not None and self._inner.done() and not self._inner.cancelled()


def _runs(task: asyncio.Task[Any]) -> Running[Any] | Recipe[Any] | None:
    """Return what of ours runs *task*, and tells by its outcome how that has ended: the task itself ends well."""
    coroutine: Any = task.get_coro()
    if getattr(coroutine, "cr_code", None) is _running._drive.__code__:
        running: Running[Any] | None = None if coroutine.cr_frame is None else coroutine.cr_frame.f_locals.get("self")
        return running
    return coroutine if isinstance(coroutine, Recipe) else None  # pyright: ignore[reportUnknownVariableType]


def _waited_for(task: asyncio.Task[Any]) -> asyncio.Future[Any] | None:
    """Return what *task* waits for by ``wait_for``, on Pythons where that may drop a cancel; None: not so."""
    if sys.version_info >= (3, 12):
        return None
    frames = _waiting_frames(task)
    if not frames or frames[-1].f_code is not asyncio.wait_for.__code__:
        return None
    inner: asyncio.Future[Any] | None = frames[-1].f_locals.get("fut")
    return inner


def _cleans_up(task: asyncio.Task[Any]) -> bool:
    """Say whether a frame of the user's in which *task* waits stands in an exception handler."""
    frames = [frame for frame in _waiting_frames(task) if is_theirs(frame.f_code)]
    return not frames or any(_in_handler(frame.f_code, frame.f_lasti) for frame in frames)


@lru_cache(maxsize=4096)
def _in_handler(code: CodeType, instruction: int) -> bool:
    """Say whether that instruction lies in an ``except`` or in a ``finally`` on the way of an exception.

    The compiler covers a handler with an entry of its own, whose target puts the exception back (COPY, POP_EXCEPT,
    RERAISE); the entries of ``try`` and ``with`` bodies lead to PUSH_EXC_INFO. An ``await`` may have one in between,
    which leads to CLEANUP_THROW.
    """
    operations = {one.offset: one.opname for one in dis.get_instructions(code)}
    entries = _dis._parse_exception_table(code)
    target = _target(entries, instruction)
    if operations.get(target) == "CLEANUP_THROW":
        target = _target(entries, target)
    return operations.get(target) == "COPY"


def _target(entries: Any, instruction: int) -> int:
    """Return where an exception at *instruction* leads; -1: out of the function."""
    return next((entry.target for entry in entries if entry.start <= instruction < entry.end), -1)
