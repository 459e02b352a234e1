"""Virtual time: an event loop whose clock jumps to the next timer when everybody waits.

``sleep(3600)`` and ``timeout=600`` pass in milliseconds, in the order in which they would. While something real is
under way (a thread, a process, a socket), time passes as it does outside: nothing is timed out by a jump.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from .._core.timers import timers_of
from .._runtime import outstanding_on

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TICK = 1e-6
"""Seconds a jump goes beyond its timer: a limiter that adds up floats could else be a hair too early for ever."""


class VirtualClock:
    """The time of a ``VirtualLoop``, to be read and moved by tests.

    ``clock.time()`` tells seconds since the loop was made; ``clock.advance(5)`` moves on by hand, also while a real
    thread is under way.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def time(self) -> float:
        """Return the seconds since the loop was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time on; what becomes due runs in the loop's next turn.

        Raises:
          ValueError: *seconds* is negative: time doesn't go back.
        """
        if seconds < 0:
            raise ValueError(f"time doesn't go back: advance({seconds})")
        self._now += seconds

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run *main* to its end on a new loop with this clock, and return its result."""
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self)) as runner:
            return runner.run(main)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time; otherwise asyncio's own.

    Attributes:
      clock: its time.
      is_virtual: True. Nobody watches such a loop for stalls: a watch holds frames for an instant, and what was dropped
        in one then dies on the thread of the watch, at a real moment that virtual time doesn't wait for.
    """

    is_virtual = True

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self._executing = 0
        self._jumping = _JumpingSelector(selectors.DefaultSelector(), self)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self.clock.time()

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run *func* in *executor*; until it has ended, time passes as it does outside."""
        future = super().run_in_executor(executor, func, *args)
        self._executing += 1
        future.add_done_callback(self._executed)
        return future

    def _executed(self, _future: asyncio.Future[Any]) -> None:
        self._executing -= 1

    def awaits_outside(self) -> bool:
        """Say whether something real is under way: a lane's job, an executor's, or a socket that is watched."""
        return bool(self._executing or outstanding_on(self) or self._jumping.watches_sockets())


class _JumpingSelector(selectors.BaseSelector):
    """A selector that moves the clock instead of sleeping, whenever nothing real can happen."""

    def __init__(self, real: selectors.BaseSelector, loop: VirtualLoop) -> None:
        self._real = real
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return self._real.select(timeout)
        if self._loop.awaits_outside():
            began = time.monotonic()
            ready = self._real.select(timeout)
            self._loop.clock.advance(time.monotonic() - began)
            return ready
        ready = self._real.select(0)
        if not ready:
            timers_of(self._loop).settle()  # a deadline that was given up is nothing to jump to
            self._loop.clock.advance(self._until_next(timeout) + TICK)
        return ready

    def _until_next(self, timeout: float) -> float:
        scheduled: Any = getattr(self._loop, "_scheduled", [])
        due = [handle.when() for handle in scheduled if not handle.cancelled()]
        return max(0.0, min(due) - self._loop.time()) if due else timeout

    def watches_sockets(self) -> bool:
        """Say whether anything but the loop's own wake-up socket is registered."""
        return len(self._real.get_map()) > 1

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Any:
        return self._real.get_map()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.get_key(fileobj)

    def close(self) -> None:
        self._real.close()
