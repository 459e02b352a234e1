"""How one task of a loop wakes another without a future between them: what it awaits is what it is woken by.

A future's answer passes through two queues of the loop and three objects before the waiting task goes on. Here it
yields the very message or inbox that it waits for, and a courier runs the next steps of all who were woken in one turn
of the loop: half the cost of a hop between two ``asyncio.Queue``s (benchmarks: ask_reply). The way of
``lanes/base.py``'s ``AwaitedJob``, between tasks of one loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import Any

from .._core.perloop import one_per_loop
from .._core.timers import timers_of

# 64 steps in one turn of the loop, those included that they give rise to: a question and its answer need no turn each
# (benchmarks: ask_reply). Then the loop's other work has its turn, sockets and timers included; after eight, if these
# took long.
_SLICES = range(8)
_STEPS = range(8)
_LONG = 0.002

_running_loop = asyncio._get_running_loop
_Wakeup = Callable[[Any], object]


class Waiter:
    """What one task awaits at a time: ``yield waiter``. To asyncio's tasks it is a future, as far as they look at one.

    To be awaited: ``_wakeup`` must be None and ``_asyncio_future_blocking`` True. ``Courier.wake`` makes it go on.
    """

    # Without get_loop: a task takes _loop then, and spares a call (benchmarks: ask_reply).
    __slots__ = ("_asyncio_future_blocking", "_context", "_loop", "_wakeup")

    _asyncio_future_blocking: bool
    _context: Context
    _loop: asyncio.AbstractEventLoop
    _wakeup: _Wakeup | None

    def add_done_callback(self, wakeup: _Wakeup, *, context: Context) -> None:
        """Note what makes the task go on; its own way of saying that it waits."""
        self._wakeup = wakeup
        self._context = context

    def cancel(self, msg: object = None) -> bool:
        """Have the task raise ``CancelledError`` in the next turn; called by ``Task.cancel``."""
        wakeup = self._wakeup
        if wakeup is None or self.is_woken():
            return False
        self._wakeup = None
        future: asyncio.Future[None] = self._loop.create_future()
        future.add_done_callback(wakeup, context=self._context)
        future.cancel(msg)
        return True

    def is_woken(self) -> bool:
        """Say whether what it waits for has come: the task is about to go on."""
        raise NotImplementedError

    def done(self) -> bool:
        """Say the same, to whoever takes it for a future."""
        return self._wakeup is None or self.is_woken()


class Courier:
    """Wakes the tasks of one loop, in the order in which ``wake`` was called.

    Attributes:
      ready: whom to wake; to append there and ``rouse`` when ``woken`` is down is what ``wake`` does.
      timers: where the loop's deadlines are waited for.
      woken: whether the loop knows that somebody is ready.
    """

    __slots__ = ("_context", "_nothing", "loop", "ready", "timers", "woken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.timers = timers_of(loop)
        self.ready: deque[Waiter] = deque()
        self.woken = False
        self._context = Context()  # not that of whoever wakes first: it would be kept alive
        # All that a task wants to see when it goes on: a future that has ended with None.
        self._nothing: asyncio.Future[None] = loop.create_future()
        self._nothing.set_result(None)

    def wake(self, waiter: Waiter) -> None:
        """Have the task that awaits *waiter* take its next step in the coming turn of the loop."""
        self.ready.append(waiter)
        if not self.woken:
            self.rouse()

    def rouse(self) -> None:
        """Tell the loop that somebody is ready."""
        self.woken = True
        if _running_loop() is self.loop:
            self.loop.call_soon(self._deliver, context=self._context)
        else:  # a reply from inside a thread tool: the loop may be asleep, and would find it much later
            self.loop.call_soon_threadsafe(self._deliver, context=self._context)

    def _deliver(self) -> None:
        ready, nothing = self.ready, self._nothing
        try:
            until = monotonic() + _LONG
            for _ in _SLICES:
                for _ in _STEPS:
                    if not ready:
                        return
                    waiter = ready.popleft()
                    wakeup = waiter._wakeup
                    if wakeup is not None:  # else its task was cancelled meanwhile
                        waiter._wakeup = None
                        waiter._context.run(wakeup, nothing)
                if monotonic() > until:
                    return
        finally:  # also when a step raises KeyboardInterrupt through the loop
            if ready:
                self.loop.call_soon(self._deliver, context=self._context)
            else:
                self.woken = False


def courier_of(loop: asyncio.AbstractEventLoop) -> Courier:
    """Return the courier of *loop*, made on first use."""
    return one_per_loop(loop, _new)


def _new() -> Courier:
    return Courier(asyncio.get_running_loop())
