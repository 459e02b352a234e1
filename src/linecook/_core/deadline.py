"""Deadlines: they nest, the nearest one counts, and they travel with the context into tasks, threads and processes.

``fail_after`` and ``move_on_after`` behave as trio's and anyio's do, on plain asyncio: at the deadline the task that
entered the block is cancelled once, and the block turns that very cancellation into ``TimedOutError`` or silence.
The counting is ``asyncio.timeout``'s: a cancellation that somebody else asked for meanwhile always goes on.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from types import TracebackType
from typing import Any

from .context import Clock, Due, Frame, frame_here, get_deadline, set_deadline
from .errors import TimedOutError
from .timers import Moment, Timers, timers_of


class Deadline(Moment):
    """A moment by which everything under it should have ended.

    Attributes:
      at: the moment, in the time of ``clock``; infinity for none.
      seconds: what was granted when it was set; None for no bound.
      what: what it belongs to, such as ``"fail_after"``.
      clock: whose ``time()`` tells the time, from any thread.
    """

    __slots__ = ("at", "clock", "seconds", "waiting", "what")

    def __init__(self, seconds: float | None, what: str) -> None:
        self.waiting = False
        self.at = math.inf
        self.seconds = seconds
        self.what = what
        self.clock: Clock = _MONOTONIC

    @property
    def whose(self) -> str:
        """The deadline in words, for errors."""
        return f"{self.what}({self.seconds})"

    def fire(self) -> None:
        """Do nothing: whoever set it looks at the time himself."""


class _Monotonic:
    @staticmethod
    def time() -> float:
        return time.monotonic()


_MONOTONIC = _Monotonic()


def check_seconds(value: float | None, name: str) -> None:
    """Refuse a negative or NaN number of seconds.

    Raises:
      ValueError: naming *name* and the value.
      TypeError: when it isn't a number.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{name} must be a number of seconds or None, not {value!r}")
    if math.isnan(value) or value < 0:
        raise ValueError(f"{name} must be 0 or more seconds (0: only if immediate; None: no limit), not {value!r}")


def remaining() -> float | None:
    """Return the seconds left until the nearest deadline; None when there is none.

    It never goes below 0.0. Inside a thread or a process it tells what the caller had left, minus what has passed.
    """
    return remaining_for(frame_here())


def remaining_for(frame: Frame | None) -> float | None:
    """Return what ``remaining`` tells inside *frame*: a call in a lane carries its own time-out on itself."""
    deadline: Due | None = get_deadline()
    own = None if frame is None else frame.due
    if own is not None and (deadline is None or own.at < deadline.at):
        deadline = own
    return None if deadline is None else max(0.0, deadline.at - deadline.clock.time())


def set_remaining(seconds: float | None) -> None:
    """Set what ``remaining`` tells from here on in this context: for bodies that arrived from another process."""
    deadline: Deadline | None = None
    if seconds is not None:
        deadline = Deadline(seconds, "caller")
        deadline.at = time.monotonic() + seconds
    set_deadline(deadline)


def _take_over() -> None:
    """Learn the deadline of the body that imports this inside a worker process: its call came before we were there."""
    worker: Any = sys.modules.get("_linecook_worker")
    if worker is not None and worker.deadline is not None:
        set_remaining(max(0.0, worker.deadline - time.monotonic()))


_take_over()


class DeadlineScope(Deadline):
    """A block that ends at a deadline; made by ``fail_after`` and ``move_on_after``. Entered once, by one task.

    One object is the block, the deadline that its inside sees and the moment in the loop's heap: three would cost
    1 µs more (benchmarks: call_overhead).

    Attributes:
      cancel_called: whether the deadline passed while the block was open.
      cancelled_caught: whether the block was left because of that; True only after it.
    """

    __slots__ = ("_before", "_fail", "_previous", "_task", "_timers", "cancel_called", "cancelled_caught")

    _before: int
    _previous: Deadline | None
    _timers: Timers

    def __init__(self, seconds: float | None, what: str, fail: bool) -> None:
        self.waiting = False
        self.at = math.inf
        self.seconds = seconds
        self.what = what
        self._fail = fail
        self._task: asyncio.Task[Any] | None = None
        self.cancel_called = False
        self.cancelled_caught = False

    def __enter__(self) -> DeadlineScope:
        task = asyncio.current_task()
        if task is None or self._task is not None:
            raise self._misused(task)
        self._task = task
        self._before = task.cancelling()
        seconds = self.seconds
        if seconds is not None and seconds != math.inf:
            loop = task.get_loop()
            self.clock = loop
            self.at = at = loop.time() + seconds
            self._previous = previous = get_deadline()
            if previous is None or at < previous.at:
                set_deadline(self)
            self._timers = timers = timers_of(loop)
            self.waiting = True
            timers.push(at, self)
        return self

    def _misused(self, task: asyncio.Task[Any] | None) -> RuntimeError:
        if task is None:
            return RuntimeError(f"{self.whose} bounds the work of a task; there is none here")
        return RuntimeError(f"{self.whose} is entered a second time; make a new one for each block")

    def fire(self) -> None:
        """The deadline has passed: ask the task to end, once."""
        assert self._task is not None
        self.cancel_called = True
        self._task.cancel(f"deadline: {self.whose}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if self.waiting:
            self.waiting = False
            self._timers.forget()
        if self.at != math.inf:
            # Set back rather than reset by token: a generator may leave the block in a copy of the context.
            set_deadline(self._previous)
        if not self.cancel_called:
            return False
        assert self._task is not None
        # More requests than ours are open: somebody else wants the task to end, and that goes first.
        others = self._task.uncancel() > self._before
        if others or kind is None or not issubclass(kind, asyncio.CancelledError):
            return False
        self.cancelled_caught = True
        if self._fail:
            raise self._error() from error
        return True

    def _error(self) -> TimedOutError:
        assert self.seconds is not None
        return TimedOutError(
            f"{self.whose} passed before the block ended", after=self.seconds, whose=self.whose, work="stopped"
        )


def fail_after(seconds: float | None) -> DeadlineScope:
    """Bound a ``with`` block: at the deadline its work is cancelled and the block raises ``TimedOutError``.

    Args:
      seconds: from entering the block, ≥ 0; ``0`` lets through only what never waits, ``None`` bounds nothing.

    Raises:
      TimedOutError: on leaving the block, when the deadline ended it. Also a ``TimeoutError``.
      ValueError: *seconds* is negative or NaN.

    Everything called inside has at most this long, also in threads and processes (``remaining()``). The nearest of
    several nested deadlines counts. Semantics follow trio's ``fail_after``.
    """
    if not (type(seconds) is float and seconds >= 0.0):  # most are; the rest is looked at more closely
        check_seconds(seconds, "fail_after's seconds")
    return DeadlineScope(seconds, "fail_after", True)


def move_on_after(seconds: float | None) -> DeadlineScope:
    """Bound a ``with`` block: at the deadline its work is cancelled and the program goes on after the block.

    Args:
      seconds: from entering the block, ≥ 0; ``0`` lets through only what never waits, ``None`` bounds nothing.

    Returns:
      The scope; after the block ``scope.cancelled_caught`` tells whether the deadline ended it.

    Raises:
      ValueError: *seconds* is negative or NaN.

    Semantics follow trio's ``move_on_after``.
    """
    check_seconds(seconds, "move_on_after's seconds")
    return DeadlineScope(seconds, "move_on_after", False)
