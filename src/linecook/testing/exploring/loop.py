"""The explored event loop: asyncio's queue, untouched, with virtual time, where a plan decides when things arrive.

Task steps and callbacks run first in, first out, as on the stock loop. What a stock loop leaves open is decided at the
start of each turn: which ends of outside operations arrive, and whether time goes on to the next timer. One loop
serves one schedule; making one costs a microsecond or two, since there is no selector and no self-pipe.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, TypeVar

from ..._core.timers import timers_of
from .arrivals import Arrival
from .choices import Chooses
from .mistakes import EscapedControl, InjectedFault
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

_running = asyncio._set_running_loop  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]


class ExploredLoop(RealThings, asyncio.AbstractEventLoop):
    """Runs one schedule of a program.

    Args:
      plan: decides at each point of choice.
      most_steps: how many handles may run before the program is said to hang.
      faults: whether faults are among the options.
      holding: whether a task's next step may be held back behind those of others (tier "any").
      tracer: notes what happens, for a report or a token; None: nobody does.

    Attributes:
      complaints: what was given to the exception handler, without a handler of the program's own.
      escapes: the errors for real things that the program tried to do.
      steps: handles run so far.
      tasks: what ``create_task`` made, held weakly: a task that nobody holds may be collected, as it would be.
    """

    is_virtual = True

    def __init__(
        self,
        plan: Chooses,
        *,
        most_steps: int = 100_000,
        faults: bool = False,
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
        self._held: list[tuple[int, Handle]] = []
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
        self.complaints: list[dict[str, Any]] = []
        self.escapes: list[EscapedControl] = []
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
        number = len(self.tasks)
        task: ExploredTask[T] = ExploredTask(coro, self, number, name, context)
        self.tasks.append(weakref.ref(task))
        if self.tracer is not None:
            self.tracer.task_made(task)
        return task

    def _made_by_factory(self, coro: Any, name: object, context: Context | None, options: dict[str, Any]) -> Any:
        given = options if context is None else {"context": context, **options}
        task = self._factory(self, coro, **given)
        set_name = getattr(task, "set_name", None)
        if name is not None and set_name is not None:
            set_name(name)
        if self.tracer is not None:
            self.tracer.task_made(task)
        return task

    def set_task_factory(self, factory: Any) -> None:
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

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        return

    def set_default_executor(self, executor: Any) -> None:
        return

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
            if self._held or self._holding:
                self._run_held(count)
            elif self._threads or self.after_step or self.tracer:
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
        ready, pick = self._ready, self._plan.pick
        while True:
            options: list[Any] = self._live() if self._outside else []
            if ready:
                if not self._overtaken(options):
                    break
                continue
            timer = self._next_timer()
            if timer and not options and hasattr(self, "_linecook_timers"):
                timers_of(self).settle()  # a deadline that was given up is nothing to jump to
                timer = self._next_timer()
            self._busy = 0
            if self._immediate:
                break
            if timer:
                options.append(DUE)
                if self._ties():
                    options.append(FIRST_DUE)
            if not options:
                if not self._come_late():
                    raise Stuck
                continue
            free = len(options) - 1
            faults = self._faulty(options) if self._faults else 0
            self._happen(options[pick(options, free, faults) if len(options) > 1 else 0])
        for handle in self._immediate:
            ready.append(handle)  # type: ignore[arg-type]  # a handle as well
        self._immediate.clear()

    def _overtaken(self, options: list[Any]) -> bool:
        """Let one arrival overtake what is ready, if the plan says so; return whether one did."""
        if self._next_timer():
            options.append(DUE)
        if self._faults:
            faults = self._faulty(options)
        else:
            faults = 0
        if not options:
            return False
        self._busy += 1
        if self._busy > PATIENCE:
            self._busy = 0
            self._happen(options[0])
            return True
        options.insert(0, None)
        picked = self._plan.pick(options, 0, faults)
        if not picked:
            return False
        self._happen(options[picked])
        return True

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
            option.task.cancel("a cancel at this await, injected by the explorer")

    def _let_come(self, arrival: Arrival) -> None:
        if not arrival.arrive(self):
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
        if not self._ready:
            return  # the turn is over: its successor begins with a choice anyway
        options: list[Any] = [None, *(one for one in self._outside if one.between and one.can_come())]
        if len(options) > 1:
            picked = self._plan.pick(options, 0, 0)
            if picked:
                self._happen(options[picked])

    def _faulty(self, options: list[Any]) -> int:
        """Add to *options* each arrival with each of its faults, and a cancel at each await; return how many."""
        before = len(options)
        arrivals = [option for option in options if isinstance(option, Arrival)]
        options += [FaultyArrival(arrival, fault) for arrival in arrivals for fault in arrival.faults]
        for ref in self.tasks:
            task = ref()
            if task is not None and not task.done() and task._fut_waiter is not None and not task.cancelling():  # type: ignore[attr-defined]  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
                options.append(Cancellation(task))
        return len(options) - before

    # -- holding back (tier "any") -------------------------------------------------------------------------------

    def _run_held(self, count: int) -> None:
        raise NotImplementedError

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
