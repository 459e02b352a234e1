"""One heap of moments per event loop, kept by one loop timer: where every deadline of linecook is waited for.

``loop.call_at`` costs 2.3 µs a deadline, a place in a shared heap under 1 µs, and nearly all deadlines are given up
before they are due (benchmarks: call_overhead). Given-up moments stay in the heap until they surface or outnumber the
live ones.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, Protocol

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
            self._callback, self._arg = _nothing, None  # it may stay in the heap for long, and held a fan-out's results
            self._timers.forget()


def _nothing(_: Any) -> None:
    return None


class Dated(Protocol):
    """A moment that knows when it is."""

    waiting: bool

    @property
    def at(self) -> float: ...
    def fire(self) -> None: ...


class Line(Moment):
    """Moments that lie equally far ahead when they are asked for, and so come in order: one place in the heap for all.

    All calls of a tool have the same time-out. To queue one here and forget it takes 2,900 instructions, in the heap
    3,800 (benchmarks: thread_noop, 48,000 a call). To give a moment up, lower its ``waiting`` and call ``prune``; one
    behind a moment still wanted may be kept for a while, but never more than twice as many as are wanted, and 64.

    Attributes:
      seconds: how far ahead its moments are when they are appended.
      moments: in order; ``append`` adds one.
      most: how many there may be before those that were given up are dropped.
      now: tells the time of the loop.
    """

    __slots__ = ("_timers", "moments", "most", "now", "seconds", "waiting")

    def __init__(self, timers: Timers, seconds: float) -> None:
        self._timers = timers
        self.seconds = seconds
        self.now = timers.now
        self.most = _SLACK
        self.waiting = False  # whether this line has its place in the heap
        self.moments: deque[Dated] = deque()

    def append(self, moment: Dated) -> None:
        """Fire *moment* when it is due, not before those that were appended earlier; its ``waiting`` must be True."""
        moments = self.moments
        moments.append(moment)
        if not self.waiting or len(moments) > self.most:
            self.see_to(moment)

    def see_to(self, moment: Dated) -> None:
        """Take a place in the heap for *moment*, the newest, or drop what was given up; see ``append``."""
        if not self.waiting:
            self.waiting = True
            self._timers.push(moment.at, self)
        else:
            self.moments = moments = deque([kept for kept in self.moments if kept.waiting])
            self.most = 2 * len(moments) + _SLACK

    def prune(self) -> None:
        """Let go of the moments at the head that were given up."""
        moments = self.moments
        while moments and not moments[0].waiting:
            moments.popleft()

    def next_due(self) -> float | None:
        """Return when the first moment still wanted is; None when there is none."""
        self.prune()
        return self.moments[0].at if self.moments else None

    def fire(self) -> None:
        """Fire what is due, and take a place in the heap for the next."""
        now = self.now() + _EARLY
        while (due := self.next_due()) is not None and due <= now:
            moment = self.moments.popleft()
            moment.waiting = False
            moment.fire()
        if due is not None and not self.waiting:
            self.waiting = True
            self._timers.push(due, self)


class Timers:
    """The moments of one loop, in its own time (``loop.time()``, which ``now`` tells)."""

    __slots__ = ("_armed", "_armed_for", "_context", "_given_up", "_heap", "_loop", "_order", "lines", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        stock = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
        self.now: Callable[[], float] = time.monotonic if stock else loop.time  # what the stock loop's calls
        self.lines: dict[float, Line] = {}
        self._context = Context()  # not that of whoever comes first: the timer would keep his call and arguments alive
        self._heap: list[tuple[float, int, Moment]] = []
        self._order = count()
        self._given_up = 0
        self._armed: asyncio.Handle | None = None
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

    def line(self, seconds: float) -> Line:
        """Return the line for moments that are *seconds* ahead when they are appended."""
        line = self.lines.get(seconds)
        if line is None:
            if len(self.lines) >= _SLACK:  # time-outs made up on the way: those of no use now are forgotten
                self.lines = {ahead: line for ahead, line in self.lines.items() if line.next_due() is not None}
            line = self.lines[seconds] = Line(self, seconds)
        return line

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
        while heap:
            when, _, moment = heap[0]
            if not moment.waiting:
                heappop(heap)
                self._given_up -= 1
            elif type(moment) is Line and (due := moment.next_due()) != when:
                heappop(heap)
                moment.waiting = due is not None
                if due is not None:
                    heappush(heap, (due, next(self._order), moment))
            else:
                return when
        return None

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
        if when <= self.now() and not isinstance(self._loop, asyncio.BaseEventLoop):
            # uvloop would call before what is ready now, and timeout=0 would end a body that never waits: a few turns
            # on, after the body's step and its answer.
            self._armed = self._loop.call_soon(self._in_turns, 3, context=self._context)
        else:
            self._armed = self._loop.call_at(when, self._sweep, context=self._context)

    def _in_turns(self, turns: int) -> None:
        if turns:
            self._armed = self._loop.call_soon(self._in_turns, turns - 1, context=self._context)
        else:
            self._sweep()

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
            try:
                moment.fire()
            except Exception as error:  # one that fails must not cost the others their deadline
                context = {"message": f"{moment!r} failed when it was due", "exception": error}
                self._loop.call_exception_handler(context)
        if due is not None and due < self._armed_for:
            self._arm(due)


def line_of(loop: asyncio.AbstractEventLoop, seconds: float) -> Line:
    """Return the line of *loop* for moments that are *seconds* ahead when they are appended."""
    kept: Any = loop
    try:
        line: Line = kept._linecook_timers.lines[seconds]  # in one function: 0.1 µs a call (benchmarks: thread_noop)
    except (AttributeError, KeyError):
        line = timers_of(loop).line(seconds)
    return line


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
