"""The explored event loop: asyncio's queue, untouched, with virtual time, where a plan decides when things arrive.

Task steps and callbacks run first in, first out, as on the stock loop. What a stock loop leaves open is decided at the
start of each turn: which ends of outside operations arrive, and whether time goes on to the next timer. One loop
serves one schedule; making one costs a microsecond or two, since there is no selector and no self-pipe.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context, copy_context
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, TypeVar

from ..._core.timers import timers_of
from ...lanes.base import Lane
from .arrivals import Arrival, FaultKind, HeldStep, ThreadStep
from .cancels import Request
from .choices import Chooses
from .control import here
from .executors import Executors
from .mistakes import EscapedControl, InjectedFault
from .steps import task_of
from .tasks import ExploredTask
from .unreal import RealThings

if TYPE_CHECKING:
    from .tracer import Tracer

T = TypeVar("T")

TICK = 1e-6
"""Seconds that time goes beyond a timer: a limiter that adds up floats could else be a hair too early for ever."""

PATIENCE = 200
"""Turns with something ready after which what is outside arrives by itself: a loop that spins doesn't stop the world."""


class TooLong(Exception):  # noqa: N818 - a finding, told in the words of the report
    """The program made more steps than it may."""


class Stuck(Exception):  # noqa: N818 - a finding, told in the words of the report
    """Nothing is ready and nothing can come."""


class Handle(asyncio.Handle):
    """asyncio's handle, made in a third of the time."""

    __slots__ = ("by",)
    _repr = None
    _source_traceback = None

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], loop: ExploredLoop, context: Context | None):
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = context  # type: ignore[assignment]  # None: our own, which sets no variables
        self._cancelled = False


class TimerHandle(asyncio.TimerHandle):
    """asyncio's timer handle; ``when`` is virtual."""

    __slots__ = ("by", "name", "what")


class _Timer:
    """Stands for the next timer among the options."""

    __slots__ = ("all",)

    def __init__(self, every: bool) -> None:
        self.all = every


class FaultyArrival:
    """Stands for an arrival with a fault among the options."""

    __slots__ = ("arrival", "fault")

    def __init__(self, arrival: Arrival, fault: Any) -> None:
        self.arrival = arrival
        self.fault = fault


class Cancellation:
    """Stands for a cancel at the await where *task* is suspended."""

    __slots__ = ("task",)

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task


class HoldBack:
    """Stands for holding back the step at the head of the queue."""


DUE = _Timer(every=True)  # all timers of the next moment
FIRST_DUE = _Timer(every=False)  # only the first of several timers of the same moment
HOLD = HoldBack()
_HOLDING = (None, HOLD)

_running = asyncio._set_running_loop  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


class ExploredLoop(RealThings, Executors, asyncio.AbstractEventLoop):
    """Runs one schedule of a program.

    Args:
      plan: decides at each point of choice.
      most_steps: how many handles may run before the program is said to hang.
      faults: which faults are among the options; empty: none.
      holding: whether a task's next step may be held back behind those of others (tier "any").
      tracer: notes what happens, for a report or a token; None: nobody does.

    Attributes:
      cancels: every cancellation that was asked for.
      complaints: what was given to the exception handler, without a handler of the program's own.
      escapes: the errors for real things that the program tried to do.
      has_injected_cancel: whether a task was cancelled by the explorer.
      steps: handles run so far.
      tasks: what ``create_task`` made, held weakly: a task that nobody holds may be collected, as it would be.
    """

    is_virtual = True

    def __init__(
        self,
        plan: Chooses,
        *,
        most_steps: int = 100_000,
        faults: frozenset[FaultKind] = frozenset(),
        holding: bool = False,
        tracer: Tracer | None = None,
    ) -> None:
        self._plan = plan
        self._most_steps = most_steps
        self._faults = faults
        self._holding = holding
        self.tracer = tracer
        self._ready: deque[Handle] = deque()
        self._outside: list[Arrival] = []
        self._late: list[Arrival] = []
        self._current: Arrival | None = None  # a thread that could go on, and has made the latest step
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._immediate: list[TimerHandle] = []
        self._now = 0.0
        self._count = 0
        self._threads = 0  # arrivals that may come between two handles
        self._busy = 0
        self._closed = False
        self._stopping = False
        self._handler: Any = None
        self._factory: Any = None
        self._agens: weakref.WeakSet[AsyncGenerator[Any, Any]] | None = None
        self.tasks: list[weakref.ref[ExploredTask[Any]]] = []
        self.cancels: list[Request] = []
        self.complaints: list[dict[str, Any]] = []
        self.escapes: list[EscapedControl] = []
        self.has_injected_cancel = False
        self.steps = 0
        self.after_step: Callable[[], None] | None = None
        self.inject: Callable[[Arrival], BaseException] | None = None

    # -- the loop's own interface --------------------------------------------------------------------------------

    def time(self) -> float:
        """Return the virtual time, in seconds from 0."""
        return self._now

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        return

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:  # type: ignore[override]
        if self._closed:
            raise RuntimeError("Event loop is closed")
        handle = Handle(callback, args, self, copy_context() if context is None else context)
        self._ready.append(handle)
        if self.tracer is not None:
            self.tracer.handle_made(handle)
        return handle

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:  # type: ignore[override]
        if here() is None:
            raise self.escaped(
                f"call_soon_threadsafe({callback!r}) from the thread {threading.current_thread().name!r}",
                "that thread isn't under control. Start it in main, or stand in for it with outside(value)",
            )
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if delay is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise TypeError("delay must not be None")
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        if self._closed:
            raise RuntimeError("Event loop is closed")
        handle = TimerHandle(when, callback, args, self, context)
        if when <= self._now + TICK / 2:  # due already: it fires in the next turn, whatever happens
            self._immediate.append(handle)
        else:
            self._count += 1
            heappush(self._timers, (when, self._count, handle))
        if self.tracer is not None:
            self.tracer.timer_made(handle)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Asked for by ``TimerHandle.cancel``; a cancelled timer is dropped when it surfaces."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: object = None, context: Context | None = None, **options: Any
    ) -> asyncio.Task[T]:
        if self._closed:
            raise RuntimeError("Event loop is closed")
        if self._factory is not None:
            return self._made_by_factory(coro, name, context, options)
        return ExploredTask(coro, loop=self, name=name, context=context, **options)

    def _made_by_factory(self, coro: Any, name: object, context: Context | None, options: dict[str, Any]) -> Any:
        given = options if context is None else {"context": context, **options}
        task = self._factory(self, coro, **given)
        set_name = getattr(task, "set_name", None)
        if name is not None and set_name is not None:
            set_name(name)
        return task

    def set_task_factory(self, factory: Any) -> None:
        if factory is not None and factory is getattr(asyncio, "eager_task_factory", None):
            factory = _eager  # the same, with tasks of ours
        self._factory = factory

    def get_task_factory(self) -> Any:
        return self._factory

    def set_exception_handler(self, handler: Any) -> None:
        self._handler = handler

    def get_exception_handler(self) -> Any:
        return self._handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.complaints.append(context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._handler is None:
            self.complaints.append(context)
            return
        try:
            self._handler(self, context)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.complaints.append({"message": "exception in the exception handler", "exception": error})

    def stop(self) -> None:
        self._stopping = True

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._outside.clear()
        self._timers.clear()

    async def shutdown_asyncgens(self) -> None:
        agens, self._agens = list(self._agens or ()), None
        for agen in agens:
            await agen.aclose()

    def alive(self) -> list[ExploredTask[Any]]:
        """Return the tasks that have not ended, in the order in which they were made."""
        return [task for ref in self.tasks if (task := ref()) is not None and not task.done()]

    def explored_lane(self, name: str) -> Lane:
        """Return linecook's lane called *name*, under exploration; asked for by ``Runtime.lane``."""
        from .lanes import ExploredProcessLane, ExploredThreadLane

        return ExploredThreadLane(self) if name == "thread" else ExploredProcessLane(self)

    # -- what is outside -----------------------------------------------------------------------------------------

    def enqueue(self, callback: Callable[..., Any], *args: Any) -> None:
        """Queue what an arrival runs; it sets no context variables."""
        handle = Handle(callback, args, self, None)
        self._ready.append(handle)
        if self.tracer is not None:
            self.tracer.handle_made(handle)

    def expect(self, arrival: Arrival) -> None:
        """Note that *arrival* is under way."""
        self._outside.append(arrival)
        if arrival.between:
            self._threads += 1
        if self.tracer is not None:
            self.tracer.arrival_made(arrival)

    def delay(self, arrival: Arrival) -> None:
        """Have *arrival* come only when nothing else can."""
        self._late.append(arrival)

    def fault_of(self, arrival: Arrival) -> BaseException:
        """Return the exception with which *arrival* fails when it is made to."""
        return InjectedFault(f"{arrival.what}: a fault injected by the explorer")

    # -- running -------------------------------------------------------------------------------------------------

    def run(self, is_over: Callable[[], bool]) -> None:
        """Run turns until *is_over*, and one more: in which the stock loop's runner learns that main has ended.

        Raises:
          Stuck: nothing is ready and nothing can come.
          TooLong: more steps than allowed.
        """
        ready, run_one = self._ready, self._run_one
        last = False
        while True:
            if not last and (self._outside or self._timers or self._immediate or not ready):
                self._arrive()
            count = len(ready)
            if self._holding:
                self._run_holding(count)
            elif self.after_step is not None or self.tracer is not None:
                for _ in range(count):
                    run_one(ready.popleft())
                    if self._threads:
                        self._arrive_between()
            else:
                for _ in range(count):
                    handle = ready.popleft()
                    if not handle._cancelled:
                        try:
                            context = handle._context
                            if context is None:
                                handle._callback(*handle._args)  # type: ignore[misc]
                            else:
                                context.run(handle._callback, *handle._args)  # type: ignore[arg-type]
                        except (SystemExit, KeyboardInterrupt):
                            raise
                        except BaseException as error:
                            self._failed(handle, error)
                    if self._threads:
                        self._arrive_between()
            if self.cancels:
                for request in self.cancels:
                    request.look()
            self.steps += count
            if self.steps > self._most_steps:
                raise TooLong
            if last:
                return
            last = is_over()

    def _run_one(self, handle: Handle) -> None:
        if handle._cancelled:
            return
        tracer = self.tracer
        if tracer is not None:
            tracer.before(handle)
        try:
            if handle._context is None:
                handle._callback(*handle._args)  # type: ignore[misc]
            else:
                handle._context.run(handle._callback, *handle._args)  # type: ignore[arg-type]
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._failed(handle, error)
        if tracer is not None:
            tracer.after(handle)
        if self.after_step is not None:
            self.after_step()

    def _failed(self, handle: Handle, error: BaseException) -> None:
        self.call_exception_handler({"message": f"exception in callback {handle!r}", "exception": error})

    # -- arriving ------------------------------------------------------------------------------------------------

    def _next_timer(self) -> bool:
        """Say whether a timer is pending, after dropping those that were given up."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heappop(timers)
        return bool(timers)

    def _live(self) -> list[Any]:
        """Return what can arrive now, the oldest first."""
        live: list[Any] = [arrival for arrival in self._outside if arrival.can_come()]
        if len(live) < len(self._outside):
            self._outside = [arrival for arrival in self._outside if not arrival.is_over()]
        return live

    def _arrive(self) -> None:
        """Begin a turn: let arrive what the plan says."""
        ready = self._ready
        while True:
            options: list[Any] = self._live() if self._outside else []
            if ready:
                if not self._overtaken(options):
                    break
            elif not self._came_while_idle(options):
                break
        for handle in self._immediate:
            ready.append(handle)  # type: ignore[arg-type]  # a handle as well
        self._immediate.clear()
        self._current = None

    def _came_while_idle(self, options: list[Any]) -> bool:
        """Nothing is ready: let something come; return False when a timer is due at once."""
        timer = self._next_timer()
        if timer and not options and hasattr(self, "_linecook_timers"):
            timers_of(self).settle()  # a deadline that was given up is nothing to jump to
            timer = self._next_timer()
        self._busy = 0
        if self._immediate:
            return False
        if self._current is not None and self._current in options:  # a thread goes on until it waits
            options.remove(self._current)
            options.insert(0, self._current)
        if timer:
            options.append(DUE)
            if self._ties():
                options.append(FIRST_DUE)
        if not options:
            if not self._come_late():
                raise Stuck
            return True
        free = len(options) - 1
        faults = self._faulty(options) if self._faults else 0
        self._happen(options[self._plan.pick(options, free, faults) if len(options) > 1 else 0])
        return True

    def _overtaken(self, options: list[Any]) -> bool:
        """Something is ready: let one arrival overtake it, if the plan says so; return whether one did."""
        if self._next_timer():
            options.append(DUE)
        if not options:
            return False
        faults = self._faulty(options) if self._faults else 0
        self._busy += 1
        if self._busy > PATIENCE:
            self._busy = 0
            self._happen(options[0])
            return True
        free = 0
        if self._current is not None and self._current in options:
            options.remove(self._current)
            options[:0] = [self._current, None]  # a thread whose turn it is goes on; to take it away costs nothing
            free = 1
        else:
            options.insert(0, None)
        option = options[self._plan.pick(options, free, faults)]
        if option is None:
            return False
        self._happen(option)
        return True

    def first_timer(self) -> TimerHandle | None:
        """Return the timer that fires next."""
        return self._timers[0][2] if self._next_timer() else None

    def head(self) -> Handle | None:
        """Return what runs next; None when nothing is ready."""
        return self._ready[0] if self._ready else None

    def _ties(self) -> bool:
        timers = self._timers
        if len(timers) < 2:
            return False
        latest = timers[0][0] + TICK
        return sum(when <= latest and not handle._cancelled for when, _, handle in timers) > 1

    def _happen(self, option: Any) -> None:
        if self.tracer is not None:
            self.tracer.happens(option)
        if isinstance(option, Arrival):
            self._let_come(option)
        elif isinstance(option, _Timer):
            self._fire(option.all)
        elif isinstance(option, FaultyArrival):
            self._outside.remove(option.arrival)
            if option.arrival.arrive_faulty(self, option.fault):
                self._outside.append(option.arrival)
        elif isinstance(option, Cancellation):
            self.has_injected_cancel = True
            option.task.cancel("a cancel at this await, injected by the explorer")

    def _let_come(self, arrival: Arrival) -> None:
        more = arrival.arrive(self)
        self._current = arrival if more and arrival.can_come() else None
        if not more:
            self._outside.remove(arrival)
            self._threads -= arrival.between

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

    def _come_late(self) -> bool:
        late, self._late = [arrival for arrival in self._late if not arrival.is_over()], []
        self._outside += late
        self._threads += sum(arrival.between for arrival in late)
        return bool(late)

    def _arrive_between(self) -> None:
        """Let arrive between two handles what comes from threads, if the plan says so."""
        while self._ready and self._threads:  # else the turn is over: the next one begins with a choice anyway
            options: list[Any] = [one for one in self._outside if one.between and one.can_come()]
            free = 0
            if self._current is not None and self._current in options:
                options.remove(self._current)
                options[:0] = [self._current, None]
                free = 1
            else:
                options.insert(0, None)
            option = options[self._plan.pick(options, free, 0)] if len(options) > 1 else None
            if option is None:
                self._current = None
                return
            self._happen(option)

    def _faulty(self, options: list[Any]) -> int:
        """Add to *options* each arrival with each of its faults, and a cancel at each await; return how many."""
        before = len(options)
        arrivals = [option for option in options if isinstance(option, Arrival)]
        kinds = self._faults
        options += [FaultyArrival(one, fault) for one in arrivals for fault in one.faults if fault in kinds]
        for ref in self.tasks if "cancel" in kinds else ():
            task = ref()
            if task is not None and not task.done() and task._fut_waiter is not None and not task.cancelling():  # type: ignore[attr-defined]  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
                options.append(Cancellation(task))
        return len(options) - before

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
                picked = self._plan.pick(threads, len(threads) - 1, 0) if len(threads) > 1 else 0
                self._happen(threads[picked])
                continue
            moments = [one.thread.deadline for one in self._outside if isinstance(one, ThreadStep) and one.thread.deadline]
            moment = min([*moments, *([] if deadline is None else [deadline])], default=None)
            if moment is None:
                raise self.escaped(f"waiting for {waits_for!r} on the event loop", "nobody is left who could end that wait")
            self._now = max(self._now, moment)
            if deadline is not None and self._now >= deadline:
                return ready()
        return True

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
                if not _is_wake_up(head):
                    self._release_all()
            elif (len(ready) > 1 or self._outside or self._timers) and self._plan.pick(_HOLDING, 0, 0):
                self.expect(HeldStep(ready.popleft(), task.get_name()))
                continue
            self._run_one(ready.popleft())
            if self._threads:
                self._arrive_between()

    def _release_all(self) -> None:
        held = [one for one in self._outside if isinstance(one, HeldStep)]
        self._outside = [one for one in self._outside if not isinstance(one, HeldStep)]
        for step in held:
            self._run_one(step.handle)

    def requeue(self, handle: Handle) -> None:
        """Queue the step *handle* again: it was held back long enough."""
        self._ready.append(handle)

    # -- asynchronous generators ---------------------------------------------------------------------------------

    def first_iteration(self, agen: AsyncGenerator[Any, Any]) -> None:
        """Note an async generator that was begun, so that it can be closed at the end."""
        if self._agens is None:
            self._agens = weakref.WeakSet()
        self._agens.add(agen)

    def finalized(self, agen: AsyncGenerator[Any, Any]) -> None:
        """Close an async generator that was dropped."""
        if self._agens is not None:
            self._agens.discard(agen)
        if not self._closed:
            self.call_soon_threadsafe(self.create_task, agen.aclose())

    @property
    def began_generators(self) -> bool:
        """Whether an async generator was begun and may have to be closed."""
        return bool(self._agens)

    def escaped(self, call: str, cure: str) -> EscapedControl:
        """Note that the program called something real, and return the error to raise: it may be swallowed there."""
        error = EscapedControl(f"{call} escapes the explorer: {cure}")
        self.escapes.append(error)
        return error


def _eager(loop: ExploredLoop, coro: Any, **options: Any) -> ExploredTask[Any]:
    """Make a task that begins at once, as ``asyncio.eager_task_factory`` does."""
    return ExploredTask(coro, loop=loop, eager_start=True, **options)


def _is_wake_up(handle: Handle) -> bool:
    """Say whether a callback is asyncio's or ours: such a one changes nothing of the user's, it only wakes tasks."""
    callback: Any = handle._callback
    while isinstance(callback, partial):
        callback = callback.func
    module: Any = getattr(callback, "__module__", None) or ""
    return module.startswith(("asyncio.", "linecook."))
