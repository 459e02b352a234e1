"""Which step an event loop is in: one run of one callback, seen from another thread and without waking the loop."""

from __future__ import annotations

import asyncio
import weakref
from contextvars import Context
from types import CodeType, FrameType
from typing import Any, NamedTuple, Protocol

from .place import outwards

_RUN: CodeType = asyncio.Handle._run.__code__  # every step of asyncio's loops goes through it


class Step(NamedTuple):
    """One step of a loop.

    Attributes:
      anchor: an object that is the same one as long as the loop is in this step, and no longer.
      bottom: the frame that called the step, where the user's part of the stack ends; None if that isn't known.
    """

    anchor: object
    bottom: FrameType | None


class Steps(Protocol):
    """Tells the steps of one loop apart. Used on the watch thread only."""

    def now(self, frame: FrameType, before: Step | None) -> Step | None:
        """Return the step in which the loop's thread, now at *frame*, is; None when it is idle.

        *before* is the last answer: the same anchor comes back as long as that step lasts.
        """
        ...

    def context(self, step: Step) -> Context | None:
        """Return the context in which *step* runs; None if that can't be known."""
        ...

    def callback(self, step: Step) -> str:
        """Say what the step calls, for one that has no Python frame of its own; empty if that can't be known."""
        ...


def steps_of(loop: asyncio.AbstractEventLoop) -> Steps:
    """Return the means that suit *loop*."""
    return FrameSteps() if isinstance(loop, asyncio.BaseEventLoop) else PingSteps(loop)


class FrameSteps:
    """Steps of asyncio's own loops and their subclasses: exact, and the loop never notices.

    Each step has its own frame of ``Handle._run``. We keep that frame from one look to the next, so no other can take
    its address meanwhile: the same frame on the stack is the same step.
    """

    def now(self, frame: FrameType, before: Step | None) -> Step | None:
        for each in outwards(frame):
            if each.f_code is _RUN:
                return before if before is not None and before.anchor is each else Step(each, each)
        return None

    def context(self, step: Step) -> Context | None:
        return getattr(self._handle(step), "_context", None)

    def callback(self, step: Step) -> str:
        handle = self._handle(step)
        return "" if handle is None else repr(getattr(handle, "_callback", handle))

    def _handle(self, step: Step) -> Any:
        return step.bottom.f_locals.get("self") if step.bottom is not None else None


class PingSteps:
    """Steps of loops written in C, such as uvloop's: their own calls leave no frame.

    Idle is when no task runs and the innermost frame is the one that called ``run_forever``, which we learn by
    looking. In a loop that isn't idle we leave a callback: it hasn't run by the next look and the task is still the
    same one, so the step is, too. An idle loop is never called.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._base: FrameType | None = None

    def now(self, frame: FrameType, before: Step | None) -> Step | None:
        task = asyncio.current_task(self._loop)
        if not any(each is self._base for each in outwards(frame)):
            self._base = frame if task is None else None
        if task is None and frame is self._base:
            return None
        if before is not None and isinstance(before.anchor, _Ping) and before.anchor.is_unanswered_in(task):
            return before if before.bottom is self._base else Step(before.anchor, self._base)
        return self._ping(task)

    def _ping(self, task: asyncio.Task[Any] | None) -> Step | None:
        ping = _Ping(task)
        try:
            self._loop.call_soon_threadsafe(ping.answer, context=Context())
        except RuntimeError:  # the loop is closed
            return None
        return Step(ping, self._base)

    def context(self, step: Step) -> Context | None:
        task = step.anchor.task() if isinstance(step.anchor, _Ping) and step.anchor.task is not None else None
        get_context: Any = getattr(task, "get_context", None)  # from 3.12 on
        return None if get_context is None else get_context()

    def callback(self, step: Step) -> str:
        return ""


class _Ping:
    """A callback left with a loop; knows the task that ran when it was left, weakly: tasks end on their own thread."""

    __slots__ = ("answered", "task")

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        self.answered = False
        self.task: weakref.ref[asyncio.Task[Any]] | None = None if task is None else weakref.ref(task)

    def answer(self) -> None:
        self.answered = True

    def is_unanswered_in(self, task: asyncio.Task[Any] | None) -> bool:
        left_in = self.task() if self.task is not None else None
        return not self.answered and left_in is task
