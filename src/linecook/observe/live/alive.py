"""One call as it was found, before it is put into words; and the numbers by which people call them."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from ..._core.callframe import CallFrame
from ..._core.context import Frame
from .chains import Wait
from .livecalls import State

_STATES: dict[str, State] = {
    "running": "running",
    "ready": "ready",
    "abandoned": "abandoned",
    "open": "open",
    "ended": "ended",
}


class Alive:
    """One call as it was found.

    Attributes:
      frame: the call.
      task: the task in whose chain it stands; of a call whose body has a task of its own, that one. None: a thread that
        was given up, or one that is at work on the loop just now.
      awaited_in: the task that waits for it, where that is another one; None otherwise.
      wait: what it waits for; None: for ``child``.
      child: the call that it awaits in the same task.
      seconds: since it began; at least, unless ``exact``.
    """

    __slots__ = ("awaited_in", "child", "exact", "frame", "seconds", "task", "wait")

    def __init__(
        self, frame: Frame, task: asyncio.Task[Any] | None, wait: Wait | None = None, child: Frame | None = None
    ) -> None:
        self.frame = frame
        self.task = task
        self.awaited_in: asyncio.Task[Any] | None = None
        self.wait = wait
        self.child = child
        self.seconds = 0.0
        self.exact = False

    def take_time(self, now: float, loop_now: float) -> None:
        """Find out how long it has been under way."""
        frame, wait = self.frame, self.wait
        if not isinstance(frame, CallFrame):
            return
        if wait is not None and wait.since is not None:
            self.seconds, self.exact = frame.queued + loop_now - wait.since, True
        elif wait is not None and wait.kind in ("lane", "abandoned") and wait.what is not None and wait.what.queued_at:
            self.seconds, self.exact = frame.queued + now - wait.what.queued_at, frame.attempts < 2
        elif frame.running < 0.0:
            self.seconds, self.exact = frame.queued + frame.seconds_running(), frame.attempts < 2

    @property
    def waits_for_calls(self) -> bool:
        """Whether it does nothing but wait for others that stand in the same list."""
        return self.wait is None or self.wait.kind == "children"

    @property
    def state(self) -> tuple[State, str | None]:
        """What it does, and what it waits for."""
        wait = self.wait
        if wait is None:
            return "waiting", "child"
        if wait.kind == "lane":
            return _state_of_job(wait.what)
        if wait.kind in _STATES:
            return _STATES[wait.kind], None
        if wait.kind == "asyncio" and isinstance(wait.what, asyncio.Task):
            return "waiting", "task"
        return "waiting", wait.kind


def _state_of_job(job: Any) -> tuple[State, str | None]:
    if job is None or job.ended_at:
        return "ready", None
    return ("running", None) if job.started_at or getattr(job, "worker", None) is not None else ("waiting", "lane")


class Numbers:
    """The numbers of calls, and since when each is known: kept as long as the call is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = count(1)
        self._known: WeakKeyDictionary[Frame, tuple[int, float]] = WeakKeyDictionary()

    def of(self, frame: Frame) -> tuple[int, float]:
        """Return the number of *frame*, and ``time.monotonic()`` of when it was first asked for."""
        with self._lock:
            known = self._known.get(frame)
            if known is None:
                known = self._known[frame] = next(self._next), time.monotonic()
            return known
