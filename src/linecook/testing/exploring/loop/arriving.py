"""When things arrive: the points of choice of a schedule.

At the start of a turn what is outside may arrive, and time may go on to the next timer. While nothing is ready that is
the only thing that can happen, and costs nothing; otherwise it overtakes what is ready. What comes from threads may
also arrive between two handles of one turn, as ``call_soon_threadsafe`` does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop
from typing import TYPE_CHECKING, Any

from ...._core.timers import timers_of
from ..mistakes import EscapedControl, InjectedFault, Stuck, TooLong
from ..search.choices import Chooses
from .arrivals import Answer, Arrival, FaultKind, HeldStep, ThreadStep
from .options import DUE, FIRST_DUE, HOLDING, Cancellation, FaultyArrival, Handle, Timer, TimerHandle, Way, is_wake_up
from .steps import task_of
from .tasks import ExploredTask

if TYPE_CHECKING:
    from ..telling.tracer import Tracer
    from ..threads.threads import ControlledThread

BEGINNING = 1_000.0
"""Virtual seconds at which a schedule begins: a real clock is never 0.0, which programs take for "not yet"."""

TICK = 1e-6
"""Seconds that time goes beyond a timer: a limiter that adds up floats could else be a hair too early for ever."""

PATIENCE = 200
"""Turns with something ready after which what is outside arrives by itself: who spins doesn't stop the world."""


class Arriving:
    """The part of a loop that lets things arrive.

    Attributes:
      has_injected_cancel: whether a task was cancelled by the explorer.
    """

    tracer: Tracer | None
    alive: Callable[[], list[ExploredTask[Any]]]
    escaped: Callable[[str, str], EscapedControl]
    _run_one: Callable[[Handle], None]

    def __init__(self, plan: Chooses, faults: frozenset[FaultKind]) -> None:
        self._plan = plan
        self._faults: frozenset[FaultKind] = faults
        self._ready: deque[Handle] = deque()
        self._outside: list[Arrival] = []
        self._late: list[Arrival] = []
        self._others = 0  # arrivals that aren't answers to a future
        self._threads = 0  # arrivals that may come between two handles
        self._current: Arrival | None = None  # a thread that could go on, and has made the latest step
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._immediate: list[TimerHandle] = []
        self._now: float = BEGINNING
        self._busy = 0
        self.steps: int = 0
        self.most_steps = 0
        self.has_injected_cancel = False

    # -- what is outside -----------------------------------------------------------------------------------------

    def expect(self, arrival: Arrival) -> None:
        """Note that *arrival* is under way."""
        self._outside.append(arrival)
        if arrival.__class__ is not Answer:
            self._others += 1
            self._threads += arrival.between
        if self.tracer is not None:
            self.tracer.arrival_made(arrival)

    def enqueue(self, callback: Callable[..., Any], *args: Any) -> None:
        """Queue what an arrival runs; it sets no context variables."""
        handle = Handle(callback, args, self, None)
        self._ready.append(handle)
        if self.tracer is not None:
            self.tracer.handle_made(handle)

    def requeue(self, handle: Handle) -> None:
        """Queue the step *handle* again: it was held back long enough."""
        self._ready.append(handle)

    def delay(self, arrival: Arrival) -> None:
        """Have *arrival* come only when nothing else can."""
        self._late.append(arrival)

    def fault_of(self, arrival: Arrival) -> BaseException:
        """Return the exception with which *arrival* fails when it is made to."""
        return InjectedFault(f"{arrival.what or 'an answer'}: a fault injected by the explorer")

    def head(self) -> Handle | None:
        """Return what runs next; None when nothing is ready."""
        return self._ready[0] if self._ready else None

    def first_timer(self) -> TimerHandle | None:
        """Return the timer that fires next."""
        return self._timers[0][2] if self._has_timer() else None

    def _has_timer(self) -> bool:
        """Say whether a timer is pending, after dropping those that were given up."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heappop(timers)
        return bool(timers)

    def _live(self) -> list[Any]:
        """Return what can arrive now, the oldest first, in a list of its own."""
        outside: list[Any] = self._outside
        if not self._others:
            live = [one for one in outside if not one.future.done()]
            if len(live) < len(outside):
                self._outside = live.copy()
            return live
        live = [one for one in outside if one.can_come()]
        if len(live) < len(outside):
            for one in [one for one in outside if one.is_over()]:
                self._forget(one)
        return live

    def _forget(self, arrival: Arrival) -> None:
        self._outside.remove(arrival)
        if arrival.__class__ is not Answer:
            self._others -= 1
            self._threads -= arrival.between

    # -- points of choice ----------------------------------------------------------------------------------------

    def _arrive_while_idle(self) -> None:
        """Nothing is ready: let things come until something is.

        Raises:
          Stuck: nothing can come.
        """
        ready = self._ready
        self._busy = 0
        while not ready and not self._immediate:
            options = self._live() if self._outside else []
            timer = self._has_timer() if self._timers else False
            if timer and not options and hasattr(self, "_linecook_timers"):
                timers_of(self).settle()  # type: ignore[arg-type]  # a deadline that was given up is nothing to jump to
                timer = self._has_timer()
            goes_on = self._current is not None and self._current in options
            overtaken = self._put_first(options) if goes_on else 0
            free = len(options) - 1 - overtaken
            if timer:
                options.append(DUE)
                if self._ties():
                    options.append(FIRST_DUE)
                if not self._threads or not any(isinstance(one, ThreadStep) for one in options):
                    free = len(options) - 1  # else a thread could go on: time that passes it by has overtaken it
            if len(options) > 1 or (self._faults and options):
                faults = self._add_faults(options) if self._faults else 0
                self._happen(options[self._plan.pick(options, free, faults)])
            elif options:
                self._happen(options[0])
            elif not self._come_late():
                raise Stuck

    def _put_first(self, options: list[Any]) -> int:
        """Put the thread that could go on in front, as the default; return how many others would take its turn.

        These come last: to interrupt a thread costs an overtaking, else two threads alone had more orders than anybody
        can run. What it does until it waits or ends is one party's work, like a step of the loop.
        """
        current = self._current
        others = [one for one in options if one is not current and isinstance(one, ThreadStep)]
        if others or options[0] is not current:
            rest = [one for one in options if one is not current and not isinstance(one, ThreadStep)]
            options[:] = [current, *rest, *others]
        return len(others)

    def _arrive_while_ready(self) -> None:
        """Something is ready: let arrivals overtake it, as far as the plan says so."""
        while True:
            options: list[Any] = [None, *self._live()] if self._outside else [None]
            if self._timers and self._has_timer():
                options.append(DUE)
            if len(options) == 1 and not self._faults:
                break
            option = self._overtaking(options)
            if option is None:
                break
            self._happen(option)
        if self._immediate:
            self._ready.extend(self._immediate)  # type: ignore[arg-type]  # handles as well
            self._immediate.clear()
        self._current = None

    def _overtaking(self, options: list[Any]) -> Any:
        """Return which of *options* happens; the first is None: what is ready goes on."""
        free = 0
        if self._current is not None and self._current in options:
            options.remove(self._current)
            options.insert(0, self._current)  # a thread whose turn it is goes on; to take it away costs nothing
            free = 1
        faults = self._add_faults(options) if self._faults else 0
        self._busy += 1
        if self._busy > PATIENCE and len(options) - faults > 1:
            self._busy = 0
            return next(option for option in options if option is not None)
        return options[self._plan.pick(options, free, faults)] if len(options) > 1 else options[0]

    def _arrive_between(self) -> None:
        """Let arrive between two handles what comes from threads, as far as the plan says so."""
        while self._ready and self._threads:  # else the turn is over: the next one begins with a choice anyway
            options: list[Any] = [None, *(one for one in self._outside if one.between and one.can_come())]
            free = 0
            if self._current is not None and self._current in options:
                options.remove(self._current)
                options.insert(0, self._current)
                free = 1
            option = options[self._plan.pick(options, free, 0)] if len(options) > 1 else options[0]
            if option is None:
                self._current = None
                return
            self._happen(option)

    def _ties(self) -> bool:
        timers = self._timers
        if len(timers) < 2:
            return False
        latest = timers[0][0] + TICK
        return sum(when <= latest and not handle._cancelled for when, _, handle in timers) > 1

    def _come_late(self) -> bool:
        late, self._late = [arrival for arrival in self._late if not arrival.is_over()], []
        for arrival in late:
            self._outside.append(arrival)
            if arrival.__class__ is not Answer:
                self._others += 1
                self._threads += arrival.between
        return bool(late)

    def _add_faults(self, options: list[Any]) -> int:
        """Add to *options* each arrival with each of its faults, and a cancel at each await; return how many."""
        before, kinds = len(options), self._faults
        arrivals = [option for option in options if isinstance(option, Arrival)]
        options += [FaultyArrival(one, fault) for one in arrivals for fault in one.faults if fault in kinds]
        if "cancel" in kinds:
            waiting: list[Any] = [task for task in self.alive() if not task.cancelling()]
            options += [Cancellation(task) for task in waiting if task._fut_waiter is not None]
        return len(options) - before

    def threads(self) -> list[ControlledThread]:
        """Return the threads that are under way."""
        return [one.thread for one in self._outside if isinstance(one, ThreadStep)]

    def choose_fault(self, ways: Sequence[Way]) -> Any:
        """Return one of *ways*, the first by default; each other costs a fault."""
        way = ways[self._plan.pick(ways, 0, len(ways) - 1)]
        if self.tracer is not None and way is not ways[0]:
            self.tracer.happens(way)
        return way.way

    # -- what then happens ---------------------------------------------------------------------------------------

    def _happen(self, option: Any) -> None:
        self.steps += 1
        if self.steps > self.most_steps:
            raise TooLong
        if self.tracer is not None:
            self.tracer.happens(option)
        elif option.__class__ is Answer:  # the short way of what is nearly all
            self._outside.remove(option)
            self._ready.append(Handle(option.tell, (), self, None))
            self._current = None
            return
        if isinstance(option, Arrival):
            more = option.arrive(self)  # type: ignore[arg-type]  # this is part of a loop
            if self.tracer is not None and isinstance(option, ThreadStep):
                self.tracer.thread_stepped(option)
            self._current = option if more and option.can_come() else None
            if not more:
                self._forget(option)
        elif isinstance(option, Timer):
            self._fire(option.every)
        elif isinstance(option, FaultyArrival):
            self._forget(option.arrival)
            option.arrival.arrive_faulty(self, option.fault)  # type: ignore[arg-type]
        elif isinstance(option, Cancellation):
            self.has_injected_cancel = True
            option.task.cancel("a cancel at this await, injected by the explorer")

    def _fire(self, every: bool) -> None:
        """Let time go on to the next timer; it fires, and with it those of the same moment if *every* one may."""
        timers = self._timers
        when = timers[0][0]
        self._now = max(self._now, when + TICK)
        while timers and timers[0][0] <= when + TICK:
            handle = heappop(timers)[2]
            if not handle._cancelled:
                self._ready.append(handle)  # type: ignore[arg-type]  # a handle as well
                if not every:
                    return

    def block(self, ready: Callable[[], bool], waits_for: object, deadline: float | None) -> bool:
        """Stand still, with the handle that runs now, until *ready*: only threads go on, and time.

        Returns:
          Whether *ready* holds; False when *deadline* came first.

        Raises:
          EscapedControl: no thread is left that could make it true: the loop would stand for ever.
        """
        while not ready():
            threads: list[Any] = [one for one in self._outside if one.between and one.can_come()]
            if threads:
                free = len(threads) - 1
                if self._current is not None and self._current in threads:
                    free -= self._put_first(threads)
                self._happen(threads[self._plan.pick(threads, free, 0) if len(threads) > 1 else 0])
                continue
            moment = self._next_moment(deadline)
            if moment is None:
                raise self.escaped(f"waiting for {waits_for!r} on the event loop", "nobody is left who could end it")
            self._now = max(self._now, moment)
            if deadline is not None and self._now >= deadline:
                return ready()
        return True

    def _next_moment(self, deadline: float | None) -> float | None:
        """Return when a thread or the loop's own wait is over by the clock; None: never."""
        steps = [one for one in self._outside if isinstance(one, ThreadStep)]
        moments = [deadline, *(one.thread.deadline for one in steps)]
        return min((moment for moment in moments if moment is not None), default=None)

    # -- holding back (tier "any") -------------------------------------------------------------------------------

    def _run_holding(self, count: int) -> None:
        """Run the handles of one turn, but for steps that the plan holds back.

        A step that is held back waits like something from outside. What must keep its order does: before a callback of
        the user's runs, all steps that were queued before it have run. Callbacks of asyncio's and ours only wake tasks.
        """
        ready = self._ready
        for _ in range(count):
            head = ready[0]
            task = task_of(head)
            if task is None:
                if not is_wake_up(head):
                    self._release_all()
            elif (len(ready) > 1 or self._outside or self._timers) and self._plan.pick(HOLDING, 0, 0):
                self.expect(HeldStep(ready.popleft(), task))
                continue
            self._run_one(ready.popleft())
            if self._threads:
                self._arrive_between()

    def _release_all(self) -> None:
        for step in [one for one in self._outside if isinstance(one, HeldStep)]:
            self._forget(step)
            self._run_one(step.handle)


def suspended(task: asyncio.Task[Any]) -> bool:
    """Say whether *task* waits for something that has not happened."""
    waiter = getattr(task, "_fut_waiter", None)
    return waiter is not None and not waiter.done()
