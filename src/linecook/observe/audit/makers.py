"""Which line makes each task: noted on the task as it is made, and worked out for the report only.

A wrapper of ``create_task`` keeps the code and the instruction of the first caller that is the user's or a library's:
no line is looked up, no traceback made. It costs some 0.7 µs a task (benchmarks: watch_spawn); Python's own memory of
origins, which notes the line of every coroutine there is, costs more where tasks are few and coroutines many, as under
an HTTP client (watch_http).
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable
from types import CodeType
from typing import Any

from ..._core.place import INSTALLED, is_ours_or_pythons
from .ledger import Where

_NAME = "_linecook_made"
_STEP: CodeType = asyncio.Handle._run.__code__  # below it is the loop, and nobody who called
_MOST_FILES = 10_000
# Installed, and no more the maker of a task than asyncio is.
_PLUMBING = tuple(f"{place}{package}/" for place in INSTALLED for package in ("uvloop", "anyio"))

_theirs: set[str] = set()  # files of those who make tasks
_skipped: set[str] = set()  # files of those through whom they make them
_aside: weakref.WeakKeyDictionary[Any, tuple[CodeType, int]] = weakref.WeakKeyDictionary()


def noting(original: Callable[..., Any], *, has_steps: bool = True) -> Callable[..., Any]:
    """Return a ``create_task`` that calls *original* and notes on the task who asked for it.

    Args:
      original: as a class holds it: takes the loop first.
      has_steps: whether the loop runs its callbacks through ``asyncio.Handle._run``, as uvloop doesn't.
    """
    theirs, skipped, step, frame_at = _theirs, _skipped, _STEP, sys._getframe

    def create_task(loop: Any, coro: Any, **options: Any) -> Any:
        task = original(loop, coro, **options)
        frame = first = frame_at(1)
        code = frame.f_code
        while (file := code.co_filename) not in theirs:
            if file not in skipped:
                _sort(file)
                continue
            back = frame.f_back
            if back is None or code is step:
                return task
            frame, code = back, back.f_code
        if has_steps or frame is first or not _is_in_a_callback(loop):
            try:
                task._linecook_made = code, frame.f_lasti
            except AttributeError:  # of a task factory, and with slots
                _put_aside(task, (code, frame.f_lasti))
        return task

    return create_task


def _sort(file: str) -> None:
    if len(_theirs) + len(_skipped) >= _MOST_FILES:
        _theirs.clear()
        _skipped.clear()
    is_skipped = is_ours_or_pythons(file) or any(part in file for part in _PLUMBING)
    (_skipped if is_skipped else _theirs).add(file)


def _is_in_a_callback(loop: Any) -> bool:
    """Whether *loop* runs something that is no task: the frames then go on below the loop, to who runs it."""
    return asyncio._get_running_loop() is loop and asyncio.current_task(loop) is None


def _put_aside(task: Any, made: tuple[CodeType, int]) -> None:
    try:
        _aside[task] = made
    except TypeError:  # takes no weak references either
        return


def maker_of(task: Any) -> Where | None:
    """Return the line that made *task*; None: it wasn't noted."""
    made: tuple[CodeType, int] | None = getattr(task, _NAME, None)
    if made is None:
        try:
            made = _aside.get(task)
        except TypeError:
            return None
    return None if made is None else Where.at(*made)
