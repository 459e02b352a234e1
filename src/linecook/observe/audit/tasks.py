"""Tasks lost, exceptions that nobody looks at, coroutines that nobody awaits: each with the line that made it."""

from __future__ import annotations

import asyncio
import sys
import warnings
import weakref
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

from ..._core.place import is_ours_or_pythons
from .drops import Drop
from .ledger import Detail, Ledger, Where
from .origins import coroutine_of, definition_of, made_at, name_of, origin_of

_DESTROYED = "Task was destroyed but it is pending!"
_MOST_LEFT = 10_000
_BROUGHT_TO_NOBODY = "exception was never retrieved"
_SAID_OF_AN_ERROR = 200  # characters


class TaskFacts:
    """Notes what asyncio and Python tell of tasks and coroutines, as they tell it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # Not weakly: when a task says that it is destroyed, weak references to it are cleared already.
        self._left: set[tuple[int, str]] = set()
        self._seen: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()

    def told(self, context: dict[str, Any]) -> None:
        """Note what an event loop's exception handler is told."""
        message = str(context.get("message", ""))
        error = context.get("exception")
        task = context.get("task") or context.get("future")
        if message == _DESTROYED:
            if _mark(task) not in self._left:
                self._ledger.note("task_lost", made_at(task), details=_about(task))
        elif message.endswith(_BROUGHT_TO_NOBODY):
            self._unseen(task, error)
        else:
            where = _raised_at(error) or made_at(task)
            self._ledger.note("loop_error", where, details=((("said", _words(message, error)), 1),))

    def _unseen(self, task: Any, error: BaseException | None) -> None:
        details = _about(task)
        raised = _raised_at(error)
        if error is not None:
            details += ((("error", _words("", error)), 1),)
        if raised is not None:
            details += ((("raised", raised), 1),)
        self._ledger.note("exception_unseen", made_at(task) or raised, details=details)

    def left(self, tasks: Iterable[asyncio.Task[Any]], how: str) -> None:
        """Note tasks that were not done when their program, or their loop, was."""
        for task in tasks:
            if len(self._left) >= _MOST_LEFT or _mark(task) in self._left:
                continue
            self._left.add(_mark(task))
            self._ledger.note("task_left", made_at(task), details=(*_about(task), (("how", how), 1)))

    def unseen_among(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        """Note the exceptions of tasks that are done, still held, and of which nobody has asked; each once."""
        for task in tasks:
            if task.done() and getattr(task, "_log_traceback", False) and task not in self._seen:
                self._seen.add(task)
                self._unseen(task, getattr(task, "_exception", None))

    def never_awaited(self, coroutine: Any) -> None:
        """Be ``warnings._warn_unawaited_coroutine``: note it, and warn as Python does."""
        self._ledger.later(_drop(coroutine, sys._getframe().f_back).fact)
        # Two levels up, from here as from the original, is the line that dropped it.
        warnings.warn(_warning(coroutine), category=RuntimeWarning, stacklevel=2, source=coroutine)


def _drop(coroutine: Any, frame: FrameType | None) -> Drop:
    code, instruction = (frame.f_code, frame.f_lasti) if frame is not None else (None, 0)
    name = str(getattr(coroutine, "__name__", ""))
    return Drop(code, instruction, name, name_of(coroutine), origin_of(coroutine), definition_of(coroutine))


def _mark(task: Any) -> tuple[int, str]:
    """Return what tells *task* from every other, those that come to the same address after it included."""
    return id(task), str(getattr(task, "get_name", str)())


def _warning(coroutine: Any) -> str:
    """Say what Python says without us: it adds the lines that made the coroutine when asyncio's debug mode is on."""
    said = f"coroutine '{coroutine.__qualname__}' was never awaited"
    origin = getattr(coroutine, "cr_origin", None) or ()
    if len(origin) <= 1:  # ours; debug mode remembers ten
        return said
    import traceback

    lines = traceback.format_list([(file, line, name, None) for file, line, name in reversed(origin)])
    return "".join([f"{said}\nCoroutine created at (most recent call last)\n", *lines]).rstrip("\n")


def _about(task: Any) -> tuple[tuple[Detail, float], ...]:
    coroutine = coroutine_of(task)
    return () if coroutine is None else ((("what", name_of(coroutine)), 1),)


def _words(message: str, error: BaseException | None) -> str:
    if error is None:
        return message[:_SAID_OF_AN_ERROR]
    try:
        said = f"{type(error).__name__}: {error}".rstrip(": ")
    except Exception:  # a __str__ of the user's that fails
        said = type(error).__name__
    return f"{message}: {said}"[:_SAID_OF_AN_ERROR] if message else said[:_SAID_OF_AN_ERROR]


def _raised_at(error: BaseException | None) -> Where | None:
    """Return the user's innermost line in the traceback of *error*, else the innermost; None: it was never raised."""
    found: TracebackType | None = None
    walker = error.__traceback__ if error is not None else None
    while walker is not None:
        if found is None or not is_ours_or_pythons(walker.tb_frame.f_code.co_filename):
            found = walker
        walker = walker.tb_next
    if found is None:
        return None
    # The frame's own line is where it stood last; the traceback's is where it was left.
    code = found.tb_frame.f_code
    return Where(code.co_filename, found.tb_lineno, code.co_qualname)
