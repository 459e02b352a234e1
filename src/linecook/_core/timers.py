"""One heap of moments per event loop, kept by one loop timer: where every deadline of linecook is waited for.

``loop.call_at`` costs 2.3 µs a deadline, a place in a shared heap under 1 µs, and nearly all deadlines are given up
before they are due (benchmarks: call_overhead). Given-up moments stay in the heap until they surface or outnumber the
live ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary, ref

_SLACK = 64
_EARLY = 1e-9  # a loop may call up to one tick of its clock too soon


class Timer:
    """A moment to come. ``cancel`` gives it up."""

    __slots__ = ("_timers", "arg", "callback", "when")

    def __init__(self, timers: Timers, when: float, callback: Callable[[Any], None], arg: Any) -> None:
        self._timers = timers
        self.when = when
        self.callback: Callable[[Any], None] | None = callback
        self.arg = arg

    def cancel(self) -> None:
        """Give the moment up; does nothing when it has passed or was given up before."""
        if self.callback is not None:
            self.callback = self.arg = None
            self._timers.forget()


class Timers:
    """The moments of one loop, in its own time (``loop.time()``)."""

    __slots__ = ("__weakref__", "_armed", "_armed_for", "_given_up", "_heap", "_loop", "_order")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)  # the registry below is keyed by the loop: a strong reference would keep it for ever
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._given_up = 0
        self._armed: asyncio.TimerHandle | None = None
        self._armed_for = float("inf")

    def at(self, when: float, callback: Callable[[Any], None], arg: Any = None) -> Timer:
        """Call ``callback(arg)`` on the loop at *when*, or in the next turn when that has passed."""
        timer = Timer(self, when, callback, arg)
        heappush(self._heap, (when, next(self._order), timer))
        if when < self._armed_for:
            self._arm(when)
        return timer

    def next_due(self) -> float | None:
        """Return the earliest moment still wanted; None when there is none."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
            self._given_up -= 1
        return heap[0][0] if heap else None

    def forget(self) -> None:
        """Note that one moment was given up, and sweep when the given-up ones prevail."""
        self._given_up += 1
        if self._given_up > _SLACK and self._given_up * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapify(self._heap)
            self._given_up = 0

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
        loop = self._loop()
        if loop is not None:
            self._armed_for = when
            self._armed = loop.call_at(when, self._sweep)

    def _disarm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed, self._armed_for = None, float("inf")

    def _sweep(self) -> None:
        self._armed, self._armed_for = None, float("inf")
        loop = self._loop()
        now = loop.time() + _EARLY if loop is not None else 0.0
        while (due := self.next_due()) is not None and due <= now:
            timer = heappop(self._heap)[2]
            callback, arg = timer.callback, timer.arg
            timer.callback = timer.arg = None
            assert callback is not None
            callback(arg)
        if due is not None and due < self._armed_for:
            self._arm(due)


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Timers] = WeakKeyDictionary()


def timers_of(loop: asyncio.AbstractEventLoop) -> Timers:
    """Return the timers of *loop*, made on first use."""
    timers = _by_loop.get(loop)
    if timers is None:
        timers = _by_loop[loop] = Timers(loop)
    return timers
