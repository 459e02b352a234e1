"""One heap of moments per event loop, kept by one loop timer: where every deadline of linecook is waited for.

``loop.call_at`` costs 2.3 µs a deadline, a place in a shared heap under 1 µs, and nearly all deadlines are given up
before they are due (benchmarks: call_overhead). Given-up moments stay in the heap until they surface or outnumber the
live ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

_SLACK = 64
_EARLY = 1e-9  # a loop may call up to one tick of its clock too soon


class Moment:
    """Something that is to happen at a moment, unless it is given up before. Subclasses say what, in ``fire``."""

    __slots__ = ()

    waiting: bool

    def fire(self) -> None:
        """The moment has come; called on the loop, once."""
        raise NotImplementedError


class Timer(Moment):
    """A moment that calls a function. ``cancel`` gives it up."""

    __slots__ = ("_arg", "_callback", "_timers", "waiting")

    def __init__(self, timers: Timers, callback: Callable[[Any], None], arg: Any) -> None:
        self.waiting = True
        self._timers = timers
        self._callback = callback
        self._arg = arg

    def fire(self) -> None:
        self._callback(self._arg)

    def cancel(self) -> None:
        """Give the moment up; does nothing when it has passed or was given up before."""
        if self.waiting:
            self.waiting = False
            self._timers.forget()


class Timers:
    """The moments of one loop, in its own time (``loop.time()``)."""

    __slots__ = ("_armed", "_armed_for", "_context", "_given_up", "_heap", "_loop", "_order")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context = Context()  # not that of whoever comes first: the timer would keep his call and arguments alive
        self._heap: list[tuple[float, int, Moment]] = []
        self._order = count()
        self._given_up = 0
        self._armed: asyncio.TimerHandle | None = None
        self._armed_for = float("inf")

    def at(self, when: float, callback: Callable[[Any], None], arg: Any = None) -> Timer:
        """Call ``callback(arg)`` on the loop at *when*, or in the next turn when that has passed."""
        timer = Timer(self, callback, arg)
        self.push(when, timer)
        return timer

    def push(self, when: float, moment: Moment) -> None:
        """Fire *moment* at *when*; its ``waiting`` must be True, and turns False when it fires."""
        heappush(self._heap, (when, next(self._order), moment))
        if when < self._armed_for:
            self._arm(when)

    def forget(self) -> None:
        """Note that one moment was given up, and sweep when the given-up ones prevail."""
        self._given_up += 1
        if self._given_up > _SLACK and self._given_up * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].waiting]
            heapify(self._heap)
            self._given_up = 0

    def next_due(self) -> float | None:
        """Return the earliest moment still wanted; None when there is none."""
        heap = self._heap
        while heap and not heap[0][2].waiting:
            heappop(heap)
            self._given_up -= 1
        return heap[0][0] if heap else None

    def settle(self) -> None:
        """Arm for the earliest moment still wanted, or not at all: for clocks that jump to the next timer."""
        due = self.next_due()
        if due != self._armed_for:
            self._disarm()
            if due is not None:
                self._arm(due)

    def _arm(self, when: float) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed_for = when
        self._armed = self._loop.call_at(when, self._sweep, context=self._context)

    def _disarm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed, self._armed_for = None, float("inf")

    def _sweep(self) -> None:
        self._armed, self._armed_for = None, float("inf")
        now = self._loop.time() + _EARLY
        while (due := self.next_due()) is not None and due <= now:
            moment: Any = heappop(self._heap)[2]
            moment.waiting = False
            moment.fire()
        if due is not None and due < self._armed_for:
            self._arm(due)


def timers_of(loop: asyncio.AbstractEventLoop) -> Timers:
    """Return the timers of *loop*, made on first use; kept on the loop, as in ``perloop``, under a name of their own.

    Through ``perloop`` the look-up would cost 0.2 µs more, which every deadline pays (benchmarks: call_overhead).
    """
    kept: Any = loop
    try:
        timers: Timers = kept._linecook_timers
    except AttributeError:
        timers = kept._linecook_timers = Timers(loop)
    return timers
