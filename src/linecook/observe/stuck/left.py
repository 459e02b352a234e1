"""The registry: tasks that outlived the call that made them, and those that failed with nobody looking.

Nobody registers anything: a task's context holds the call that was under way when it was made, and asyncio holds every
task weakly. So what is left can be told at any time, and costs nothing until somebody asks.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from ..._core.callframe import CallFrame
from ..._core.context import Frame, current_frame, mark_here
from ..._core.place import Place, is_ours_or_pythons
from ..._core.stacks import stacks_of_others
from ..live.chains import context_of
from ..place import Spot, call_on_stack
from .diagnosis import LeftTask
from .posts import Post, look_at
from .words import made_noted, path_of, place_of, shown


def left_among(
    posts: Iterable[Post], done: Iterable[asyncio.Task[Any]], of_scopes: Iterable[asyncio.Task[Any]] = ()
) -> list[LeftTask]:
    """Return which of *posts* outlived their makers or, as *of_scopes*, their scopes; and who of *done* failed."""
    found = [left for task in done if (left := failed_unread(task)) is not None]
    known = list(posts)
    outlived = set(of_scopes)
    makers = {frame for post in known for frame in post.calls} | calls_at_work()
    return found + [_alive(post) for post in known if post.task in outlived or has_outlived(post, makers)]


def left_at_the_end(tasks: Iterable[asyncio.Task[Any]]) -> list[LeftTask]:
    """Return the tasks of the user's that are alive although their program has ended."""
    posts = [look_at(task) for task in tasks if not task.done()]
    return [
        _alive(post) for post in posts if post.spot is not None and not is_ours_or_pythons(post.spot.code.co_filename)
    ]


def calls_at_work() -> set[Frame]:
    """Return the calls whose bodies are on some thread's stack just now, and those above them: no chain shows those."""
    found: set[Frame] = set()
    for frame in [*stacks_of_others().values(), sys._getframe(1)]:
        call = call_on_stack(frame, None)
        while call is not None and call not in found:
            found.add(call)
            call = call.parent
    return found


def failed_unread(task: asyncio.Task[Any]) -> LeftTask | None:
    """Return what is to be told of *task* when it failed and nobody has asked for its exception; None: it didn't."""
    unread: Any = task
    if not getattr(unread, "_log_traceback", False):
        return None
    error: BaseException | None = getattr(unread, "_exception", None)
    if error is None:
        return None
    raised = _raised_at(error)
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[0][:200]
    told = f"{said}{', raised at ' + raised if raised else ''}"
    return LeftTask(_what(task), _made_by(task), _made_at(task), "failed", told)


def has_outlived(post: Post, makers: set[Frame]) -> bool:
    """Say whether *post* is a plain task whose maker, a call, has ended; calls are seen to by scopes and fan-outs."""
    maker = None if post.calls or post.context is None else post.context.get(current_frame)
    return isinstance(maker, CallFrame) and maker not in makers and _has_ended(maker)


def left_alive(task: asyncio.Task[Any]) -> LeftTask:
    """Return what is to be told of *task*, which is alive and shouldn't be."""
    return _alive(look_at(task))


def _alive(post: Post) -> LeftTask:
    return LeftTask(_what(post.task), _made_by(post.task), _made_at(post.task), "alive", place_of(post.spot))


def _has_ended(call: CallFrame) -> bool:
    """Say whether the body of *call* has run; of one that is simply awaited on the loop nobody takes the time."""
    return call.running >= 0.0 and call.attempts > 0


def _what(task: asyncio.Task[Any]) -> str:
    coroutine: Any = task.get_coro()
    return (
        f"{task.get_name()} ({getattr(coroutine, '__qualname__', type(coroutine).__name__).replace('.<locals>', '')})"
    )


def _made_by(task: asyncio.Task[Any]) -> str:
    context = context_of(task)
    frame = None if context is None else context.get(current_frame)
    if frame is not None:
        return path_of(frame)
    mark = None if context is None else context.get(mark_here)
    return "" if mark is None else mark.path()


def _made_at(task: asyncio.Task[Any]) -> str:
    noted = made_noted(task)
    if noted:
        return noted
    coroutine: Any = task.get_coro()
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    return "" if code is None else place_of(Spot(code, code.co_firstlineno))


def _raised_at(error: BaseException) -> str:
    found: TracebackType | None = None
    walker = error.__traceback__
    while walker is not None:
        if found is None or not is_ours_or_pythons(walker.tb_frame.f_code.co_filename):
            found = walker
        walker = walker.tb_next
    return "" if found is None else shown(_place(found))


def _place(found: TracebackType) -> Place:
    return Spot(found.tb_frame.f_code, found.tb_lineno).look_up()
