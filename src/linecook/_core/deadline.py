"""Deadlines: they nest, the nearest one counts, and they travel with the context into tasks, threads and processes.

``fail_after`` and ``move_on_after`` behave as trio's and anyio's do, on plain asyncio: at the deadline the task that
entered the block is cancelled once, and the block turns that very cancellation into ``TimedOutError`` or silence.
The counting is ``asyncio.timeout``'s: a cancellation that somebody else asked for meanwhile always goes on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType

from .context import current_deadline
from .errors import TimedOutError
from .timers import Timer, timers_of


class Deadline:
    """A moment by which everything under it should have ended.

    Attributes:
      at: the moment, on ``clock``.
      seconds: what was granted when it was set.
      whose: what it belongs to, for errors.
      clock: tells the time, from any thread.
    """

    __slots__ = ("at", "clock", "seconds", "whose")

    def __init__(self, at: float, seconds: float, whose: str, clock: Callable[[], float]) -> None:
        self.at = at
        self.seconds = seconds
        self.whose = whose
        self.clock = clock


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
    deadline = current_deadline.get()
    return None if deadline is None else max(0.0, deadline.at - deadline.clock())


def set_remaining(seconds: float | None) -> None:
    """Set what ``remaining`` tells from here on in this context: for bodies that arrived from another process."""
    deadline = None if seconds is None else Deadline(time.monotonic() + seconds, seconds, "caller", time.monotonic)
    current_deadline.set(deadline)


class DeadlineScope:
    """A block that ends at a deadline; made by ``fail_after`` and ``move_on_after``. Entered once, by one task.

    Attributes:
      cancel_called: whether the deadline passed while the block was open.
      cancelled_caught: whether the block was left because of that; True only after it.
    """

    __slots__ = (
        "_before",
        "_fail",
        "_previous",
        "_seconds",
        "_task",
        "_timer",
        "_whose",
        "cancel_called",
        "cancelled_caught",
    )

    def __init__(self, seconds: float | None, *, fail: bool, whose: str) -> None:
        self._seconds = seconds
        self._fail = fail
        self._whose = whose
        self._timer: Timer | None = None
        self._task: asyncio.Task[object] | None = None
        self.cancel_called = False
        self.cancelled_caught = False

    def __enter__(self) -> DeadlineScope:
        if self._task is not None:
            raise RuntimeError(f"{self._whose} is entered a second time; make a new one for each block")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError(f"{self._whose} bounds the work of a task; there is none here")
        self._task = task
        self._before = task.cancelling()
        self._previous = current_deadline.get()
        if self._seconds is not None and self._seconds != math.inf:
            self._set(self._seconds, task.get_loop())
        return self

    def _set(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        at = loop.time() + seconds
        if self._previous is None or at < self._previous.at:
            current_deadline.set(Deadline(at, seconds, self._whose, loop.time))
        self._timer = timers_of(loop).at(at, DeadlineScope._expire, self)

    def _expire(self) -> None:
        assert self._task is not None
        self.cancel_called = True
        self._task.cancel(f"deadline: {self._whose}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if self._timer is not None:
            self._timer.cancel()
            # Set back rather than reset by token: a generator may leave the block in a copy of the context.
            current_deadline.set(self._previous)
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
        assert self._seconds is not None
        return TimedOutError(
            f"{self._whose} passed before the block ended", after=self._seconds, whose=self._whose, work="stopped"
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
    check_seconds(seconds, "fail_after's seconds")
    return DeadlineScope(seconds, fail=True, whose=f"fail_after({seconds})")


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
    return DeadlineScope(seconds, fail=False, whose=f"move_on_after({seconds})")
