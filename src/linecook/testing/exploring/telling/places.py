"""Where a suspended task stands in the user's code, and what it waits for there."""

from __future__ import annotations

import asyncio
import linecache
import os
from types import CodeType, TracebackType
from typing import Any

from ...._core.supervise import _waiting_frames
from ..exploration import Place

_NOT_THEIRS = (
    os.path.dirname(asyncio.__file__) + os.sep,
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__)))) + os.sep,
)


def is_theirs(code: CodeType) -> bool:
    """Say whether *code* is the user's: neither asyncio's nor linecook's."""
    return not code.co_filename.startswith(_NOT_THEIRS)


def place_of(task: asyncio.Task[Any]) -> Place | None:
    """Return the innermost line of the user's code at which *task* is suspended; None when there is none."""
    frames = [frame for frame in _waiting_frames(task) if is_theirs(frame.f_code)]
    if not frames:
        return None
    frame = frames[-1]
    return Place(frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name)


def function_of(task: asyncio.Task[Any]) -> str:
    """Return the name of the function that *task* runs: of the call, where linecook drives one."""
    coroutine: Any = task.get_coro()
    frame = getattr(coroutine, "cr_frame", None)
    call = None if frame is None else frame.f_locals.get("call")
    name = getattr(call, "name", None) or getattr(coroutine, "__name__", None)
    return name if isinstance(name, str) else type(coroutine).__name__


def innermost(trace: TracebackType | None) -> Place | None:
    """Return the innermost line of the user's code in *trace*; None when there is none."""
    found: Place | None = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if is_theirs(code):
            found = Place(code.co_filename, trace.tb_lineno, code.co_name)
        trace = trace.tb_next
    return found


def text_at(place: Place | None) -> str:
    """Return the source text at *place*; empty when it isn't known."""
    return "" if place is None else linecache.getline(place.file, place.line).strip()


def lock_waited_for(task: asyncio.Task[Any]) -> Any:
    """Return the lock, semaphore, event, condition or queue in whose code *task* is suspended; None: in none."""
    found: Any = None
    for frame in _waiting_frames(task):
        holder: Any = frame.f_locals.get("self")
        if type(holder) in _WAITED_FOR and frame.f_code.co_filename.startswith(_NOT_THEIRS[0]):
            found = holder
    return found


_WAITED_FOR = (asyncio.Lock, asyncio.Semaphore, asyncio.Event, asyncio.Condition, asyncio.Queue, asyncio.Barrier)
