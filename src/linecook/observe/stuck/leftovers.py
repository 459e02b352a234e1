"""What is alive, or failed with nobody looking, at the end of the scope or call that began it: told to the log.

Most scopes leave nothing and are never looked at (see ``_core/leftover.py``). A look reads the context of every task of
the process, and takes a hundredth of the time at most: one that has to wait for its turn is taken
by the stuck watch, or at the end of the next scope that has left something.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Iterator
from types import BuiltinMethodType
from typing import TYPE_CHECKING, Any

from ..._core.callframe import CallFrame
from ..._core.context import Mark, current_frame, mark_here
from ..._core.supervise import supervisor_of
from ..live.chains import context_of, glance_at, role_of
from ..voice import Voice
from . import watch
from .sightings import all_tasks

if TYPE_CHECKING:
    from .posts import Post

_SHARE = 100  # a look may take a 100th of the time to the next one


class Leftovers:
    """Looks for tasks that outlived the scope in which they were begun, and tells of each once."""

    def __init__(self, voice: Voice | None = None) -> None:
        self._voice = voice or Voice()
        self._lock = threading.Lock()
        self._told: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._again_at = 0.0
        self._of_calls: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()  # made by a call that went on so far
        self._waits = False  # a scope has ended, and nobody has looked since

    def note(self, _mark: Mark) -> None:
        """Look, since something begun in a scope that has just ended may be left; or have it looked for later."""
        if getattr(asyncio.get_running_loop(), "is_virtual", False):  # there, explore finds it in every order
            return
        self._waits = True
        self.look()

    def look(self) -> None:
        """Tell of what is left, if a scope has ended since the last look and the time has come; from any thread."""
        self._voice.flush()
        if not self._waits or time.monotonic() < self._again_at or not self._lock.acquire(blocking=False):
            return
        try:
            self._waits = False
            began = time.thread_time()
            for task, mark in left_of_scopes(all_tasks()):
                if task not in self._told:
                    self._told.add(task)
                    self._tell(task, mark)
            self._again_at = time.monotonic() + _SHARE * (time.thread_time() - began)
        finally:
            self._lock.release()

    def look_at_calls(self, fresh: list[Post], tasks: list[asyncio.Task[Any]]) -> None:
        """Tell of those of *fresh*, and of earlier ones, that outlived the call that made them; *tasks* are all.

        A call that is simply awaited leaves no trace of its end: it has ended when it is in nobody's chain. To know
        that every task is looked at, and it is asked only while a plain task made by a call waits long.
        """
        self._of_calls.update(post.task for post in fresh if _is_made_by_call(post))
        mine = [task for task in self._of_calls if task not in self._told and _is_left(task)]
        if not mine:
            return
        from .left import calls_at_work, has_outlived
        from .posts import look_at
        from .words import path_of

        at_work = [call for task in tasks if (glance := glance_at(task)) is not None for call in glance.calls]
        makers = {*at_work, *calls_at_work()}
        for task in mine:
            post = look_at(task)
            if has_outlived(post, makers) and post.context is not None:
                self._told.add(task)
                maker: Any = post.context.get(current_frame)
                self._say(task, f"{path_of(maker)} has ended and a task that it made is left")

    def _tell(self, task: asyncio.Task[Any], mark: Mark) -> None:
        self._say(task, f"{path_of_mark(mark)} has ended and a task that was begun inside it is left")

    def _say(self, task: asyncio.Task[Any], what: str) -> None:
        # Where there is something to tell, and not with the module: that is imported on the loop, when the first scope
        # has ended whose context something still holds, as in a server's first merge.
        from .left import failed_unread, left_alive

        left = failed_unread(task) or left_alive(task)
        coroutine: Any = task.get_coro()
        place = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
        self._voice.say(place, lambda: f"{what}: {left}")


def left_of_scopes(tasks: list[asyncio.Task[Any]]) -> Iterator[tuple[asyncio.Task[Any], Mark]]:
    """Yield those of *tasks* that outlived a scope in which they were begun, or failed unread, each with its mark.

    Left out: what somebody waits for, as another task or a TaskGroup; what was asked to end; linecook's own tasks and
    those of libraries, which see to them.
    """
    for task in tasks:
        context = context_of(task)
        mark = None if context is None else context.get(mark_here)
        while mark is not None and not mark.ended:
            mark = mark.outer
        if mark is not None and _is_left(task):
            yield task, mark


def _is_made_by_call(post: Post) -> bool:
    maker = None if post.calls or post.context is None else post.context.get(current_frame)
    return isinstance(maker, CallFrame)


def path_of_mark(mark: Mark) -> str:
    """Return what a reader calls the scope of *mark*."""
    try:
        return mark.path()
    except RecursionError:
        return "a scope"


def _is_left(task: asyncio.Task[Any]) -> bool:
    if task.done():
        return bool(getattr(task, "_log_traceback", False))
    coroutine: Any = task.get_coro()
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    if code is not None and role_of(code).place not in ("user", "asyncio"):
        return False
    return not task.cancelling() and not _is_waited_for(task) and task not in supervisor_of(task.get_loop()).tasks


def _is_waited_for(task: asyncio.Task[Any]) -> bool:
    """Say whether a task, a gather, a TaskGroup or the like is told when *task* ends."""
    known: list[tuple[Any, Any]] = list(getattr(task, "_callbacks", None) or ())
    for callback, _ in known:
        if type(callback) is BuiltinMethodType and callback.__name__ == "task_wakeup":
            return True
        if str(getattr(callback, "__module__", "")).startswith(("asyncio.", "linecook.")):
            return True
    return False


LEFTOVERS = Leftovers()
"""The one of this process."""

watch.also.append(LEFTOVERS.look)
