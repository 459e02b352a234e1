"""The explored event loop: asyncio's queue, untouched, with virtual time, where a plan decides when things arrive.

Task steps and callbacks run first in, first out, as on the stock loop. What a stock loop leaves open is decided in
``arriving``. One loop serves one schedule; to make one costs microseconds, since there is no selector and no self-pipe.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context, copy_context
from heapq import heappush
from typing import TYPE_CHECKING, Any, TypeVar

from ....lanes.base import Lane
from ..mistakes import EscapedControl, TooLong
from ..search.choices import Chooses
from ..threads.control import here
from .arrivals import FaultKind
from .arriving import TICK, Arriving
from .cancels import Request
from .executors import Executors
from .options import Handle, TimerHandle
from .tasks import ExploredTask
from .unreal import RealThings

if TYPE_CHECKING:
    from ..telling.tracer import Tracer

T = TypeVar("T")


class ExploredLoop(Arriving, RealThings, Executors, asyncio.AbstractEventLoop):
    """Runs one schedule of a program.

    Args:
      plan: decides at each point of choice.
      most_steps: how many handles may run before the program is said to hang.
      faults: which faults are among the options; empty: none.
      holding: whether a task's next step may be held back behind those of others (tier "any").
      tracer: notes what happens, for a report or a token; None: nobody does.

    Attributes:
      after_step: called after each handle, with it; None: nobody is.
      cancels: every cancellation that was asked for.
      complaints: what was given to the exception handler, without a handler of the program's own.
      escapes: the errors for real things that the program tried to do.
      steps: handles run so far.
      tasks: all that were made, held weakly: a task that nobody holds may be collected, as it would be.
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
        Arriving.__init__(self, plan, faults)
        self.most_steps = most_steps
        self._holding = holding
        self.tracer = tracer
        self._count = 0
        self._closed = False
        self._handler: Any = None
        self._factory: Any = None
        self._agens: weakref.WeakSet[AsyncGenerator[Any, Any]] | None = None
        self.tasks: list[weakref.ref[ExploredTask[Any]]] = []
        self.cancels: list[Request] = []
        self.complaints: list[dict[str, Any]] = []
        self.escapes: list[EscapedControl] = []
        self.after_step: Callable[[Handle], object] | None = None

    # -- the loop's own interface --------------------------------------------------------------------------------

    def time(self) -> float:
        """Return the virtual time, in seconds; a schedule begins at ``BEGINNING``."""
        return self._now

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        return

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def stop(self) -> None:
        raise self.escaped("loop.stop()", "a schedule ends when main does")

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._outside.clear()
        self._timers.clear()

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
        if when is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise TypeError("when cannot be None")
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

    def _made_by_factory(
        self, coro: Coroutine[Any, Any, T], name: object, context: Context | None, options: dict[str, Any]
    ) -> asyncio.Task[T]:
        given = options if context is None else {"context": context, **options}
        task: asyncio.Task[T] = self._factory(self, coro, **given)
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

    # -- what the explorer asks ----------------------------------------------------------------------------------

    def alive(self) -> list[ExploredTask[Any]]:
        """Return the tasks that have not ended, in the order in which they were made."""
        return [task for ref in self.tasks if (task := ref()) is not None and not task.done()]

    def explored_lane(self, name: str) -> Lane:
        """Return linecook's lane called *name*, under exploration; asked for by ``Runtime.lane``."""
        from .lanes import ExploredProcessLane, ExploredThreadLane

        return ExploredThreadLane(self) if name == "thread" else ExploredProcessLane(self)

    def escaped(self, call: str, cure: str) -> EscapedControl:
        """Note that the program called something real, and return the error to raise: it may be swallowed there."""
        error = EscapedControl(f"{call} escapes the explorer: {cure}")
        self.escapes.append(error)
        return error

    def wind_down(self, plan: Chooses, most_steps: int) -> None:
        """Let what is left end: without choices, faults and notes, within so many more steps."""
        self._plan = plan
        self._faults = frozenset[FaultKind]()
        self._holding = False
        self.tracer = self.after_step = None
        self.most_steps = self.steps + most_steps

    # -- running -------------------------------------------------------------------------------------------------

    def run(self, is_over: Callable[[], bool]) -> None:
        """Run turns until *is_over*, and one more: in which the stock loop's runner learns that main has ended.

        Raises:
          Stuck: nothing is ready and nothing can come.
          TooLong: more steps than allowed.
        """
        ready = self._ready
        last = False
        while True:
            if not last:
                if not ready:
                    self._arrive_while_idle()
                if self._outside or self._timers or self._immediate or self._faults:
                    self._arrive_while_ready()
            count = len(ready)
            if self._holding:
                self._run_holding(count)
            elif self.after_step is not None or self.tracer is not None:
                self._run_seen(count)
            else:
                self._run_unseen(count)
            for request in self.cancels:
                request.look()
            self.steps += count
            if self.steps > self.most_steps:
                raise TooLong
            if last:
                return
            last = is_over()

    def _run_unseen(self, count: int) -> None:
        """Run so many handles with nobody looking on; one function, for the many schedules that are only searched."""
        ready = self._ready
        for _ in range(count):
            handle = ready.popleft()
            if not handle._cancelled:
                try:
                    context = handle._context
                    if context is None:
                        handle._callback(*handle._args)
                    else:
                        context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    self._failed(handle, error)
            if self._threads:
                self._arrive_between()

    def _run_seen(self, count: int) -> None:
        """Run so many handles, each before the eyes of the tracer and the invariant."""
        for _ in range(count):
            self._run_one(self._ready.popleft())
            if self._threads:
                self._arrive_between()

    def _run_one(self, handle: Handle) -> None:
        if handle._cancelled:
            return
        tracer = self.tracer
        if tracer is not None:
            tracer.before(handle)
        try:
            if handle._context is None:
                handle._callback(*handle._args)
            else:
                handle._context.run(handle._callback, *handle._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._failed(handle, error)
        if tracer is not None:
            tracer.after(handle)
        if self.after_step is not None:
            self.after_step(handle)

    def _failed(self, handle: Handle, error: BaseException) -> None:
        self.call_exception_handler({"message": f"exception in callback {handle!r}", "exception": error})

    # -- asynchronous generators ---------------------------------------------------------------------------------

    @property
    def began_generators(self) -> bool:
        """Whether an async generator was begun and may have to be closed."""
        return bool(self._agens)

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
            self.call_soon(self.create_task, agen.aclose())

    async def shutdown_asyncgens(self) -> None:
        agens, self._agens = list(self._agens or ()), None
        for agen in agens:
            await agen.aclose()


def _eager(loop: ExploredLoop, coro: Any, **options: Any) -> ExploredTask[Any]:
    """Make a task that begins at once, as ``asyncio.eager_task_factory`` does."""
    return ExploredTask(coro, loop=loop, eager_start=True, **options)
