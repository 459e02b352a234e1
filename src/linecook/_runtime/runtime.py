"""Opens and closes what calls need: lanes, resources, background work, the stall watch. One runtime serves one loop.

Where a call finds its runtime: the one set in its context, else the open one of the running loop, else a default one
of that loop. Default runtimes share their workers; explicit ones have their own.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from .._core.account import background_frame
from .._core.context import current_frame, current_runtime
from .._core.deadline import check_seconds
from .._core.events import Event, Events
from .._core.meter import Meter
from .._core.outcome import Failed, TimedOut
from .._core.perloop import kept_on
from .._core.scope import Handle, start_handle
from .._core.supervise import cancel_requests, raise_if_cancelled_since, see_end, supervisor_of
from ..lanes.base import Lane
from ..lanes.thread import ThreadLane
from .watching import Watching
from .workers import Lanes

if TYPE_CHECKING:
    from ..observe.report import PlacementReport

T = TypeVar("T")
_log = logging.getLogger("linecook")


_shared_events = Events()
_shared_lanes = Lanes(_shared_events, {}, None)


class Runtime:
    """What calls run on, for as long as it is open: ``async with Runtime(...) as runtime``.

    Nobody needs one: without it, calls use a default runtime of their loop. Open one to choose bounds, to start work
    that outlives a request, or to have everything closed at a certain moment (a web app's lifespan).

    Args:
      threads: threads of the thread lane at first; it grows when jobs wait and nothing ends for 10 ms.
      max_threads: most *working* threads.
      max_queued: most jobs that may wait for a thread (and for a process); beyond that calls raise ``Refused``.
      max_abandoned: most threads that may be lost to bodies that never ended; beyond that calls raise ``Refused``.
      processes: worker processes; None for as many as there are CPUs.
      stall: seconds for which the event loop may be blocked before a notice; None turns the watch off.
        A loop on virtual time is never watched.
      drain: seconds that ``aclose`` gives background work to end by itself before it is cancelled; 0 cancels at once.
      control: whether ``linecook top``, ``ps``, ``tree`` and ``cancel`` can look inside while it is open, over a Unix
        socket that this user alone can reach. A socket that can't be opened is a warning in the log, and no more.

    A runtime touches no signals, no garbage collector and no default executor of the process.
    """

    def __init__(
        self,
        *,
        threads: int = 64,
        max_threads: int = 1024,
        max_queued: int = 100_000,
        max_abandoned: int = 1024,
        processes: int | None = None,
        stall: float | None = 0.1,
        drain: float = 5.0,
        control: bool = False,
    ) -> None:
        check_seconds(stall, "Runtime's stall")
        if stall == 0:
            raise ValueError("Runtime's stall must be above 0 seconds; None turns the watch off")
        check_seconds(drain, "Runtime's drain")
        bounds = {
            "threads": threads,
            "max_threads": max_threads,
            "max_queued": max_queued,
            "max_abandoned": max_abandoned,
        }
        for name, value in (*bounds.items(), ("processes", 1 if processes is None else processes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"Runtime's {name} must be a whole number of 1 or more, not {value!r}")
        if max_threads < threads:
            raise ValueError(f"Runtime's max_threads ({max_threads}) must not be below threads ({threads})")
        self.events = Events()
        self._prepare(Lanes(self.events, bounds, processes), stall, drain, control)

    def _prepare(self, lanes: Lanes, stall: float | None, drain: float, control: bool = False) -> None:
        self._lanes = lanes
        self._owns_lanes = lanes is not _shared_lanes
        self._stall = stall
        self._drain = drain
        self._control = control
        self._loop: asyncio.AbstractEventLoop | None = None
        self._exits = AsyncExitStack()
        self._background: dict[Handle[Any], None] = {}
        self._watching = Watching(self.meter)
        self._fanouts: WeakSet[Any] = WeakSet()
        self._pipelines: WeakSet[Any] = WeakSet()
        self._guard: AsyncGenerator[None, None] | None = None
        self.thread_ident = 0  # of the thread that runs the loop
        self._previous: Runtime | None = None  # what was open on the loop before
        self._outer: Runtime | None = None  # what was current in the context before
        self.closed = False
        self.closing_since = 0.0  # when its resources began to close, in the loop's time
        self.draining = False
        self.outstanding = 0
        self.lanes: dict[str, Lane] = {}
        self.meters: dict[str, Meter] = {}
        self.facts: Any = None  # of whoever runs it and counts its outcomes, for `linecook top`; None: nobody does
        self.timers_wanted = 0  # how many readers want the times of the latest bodies
        self.opened: dict[Any, Any] = {}
        self.limits: dict[Any, Any] = {}

    @classmethod
    def _default(cls, loop: asyncio.AbstractEventLoop) -> Runtime:
        """Make the default runtime of *loop*: shared workers, closed with the loop's async generators."""
        runtime = cls.__new__(cls)
        runtime.events = _shared_events
        runtime._prepare(_shared_lanes, 0.1, 0.0)
        runtime._attach(loop)
        runtime._guard = guard = _closing(runtime)
        try:  # run it up to its yield: from now on the loop closes it in shutdown_asyncgens
            guard.asend(None).send(None)
        except StopIteration:
            pass
        return runtime

    # -- opening and closing -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Runtime:
        self.open()
        self._outer = current_runtime.get()
        self._make_current(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.aclose()
        finally:
            if current_runtime.get() is self:
                self._make_current(self._outer)

    def _make_current(self, runtime: Runtime | None) -> None:
        current_runtime.set(runtime)
        frame = current_frame.get()
        if frame is not None:
            frame.runtime = None  # the call under way may have looked before

    def open(self) -> Runtime:
        """Make this the runtime of the running loop, until ``aclose``; for notebooks, where ``async with`` won't do.

        Raises:
          RuntimeError: it was opened before, or no event loop runs.
        """
        if self._loop is not None or self.closed:
            raise RuntimeError("this Runtime was opened before; make a new one")
        loop = asyncio.get_running_loop()
        self._previous = open_on(loop)
        self._attach(loop)
        return self

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.thread_ident = threading.get_ident()
        kept_on(loop)[Runtime] = self
        if self._stall is not None and not getattr(loop, "is_virtual", False):
            self._watching.watch_loop(loop, self._stall, self.events)
        if self._control:
            from .control import CONTROL  # with sockets and their directories: only who opens one pays for it

            CONTROL.add(self)
            self.push_exit(CONTROL.wait_answered)  # the first in, the last out

    async def aclose(self) -> None:
        """Wind down: wait ``drain`` seconds for background work, cancel the rest, close resources in reverse order.

        Never waits for an abandoned thread, and at most 5 s for async resources, all together. Errors of background
        work that nobody awaits are logged, not raised; errors of closing resources are raised.

        Raises:
          CancelledError: the caller was cancelled meanwhile; raised when all of this is done.
        """
        if self.closed or self._loop is None:
            return
        self.closed = True
        before = cancel_requests()
        try:
            await self._end_background()
            await self._end_resisting()
        finally:
            self.closing_since = self._loop.time()
            try:
                await self._exits.aclose()
            finally:
                self._detach()
        raise_if_cancelled_since(before)

    async def _end_background(self) -> None:
        handles = list(self._background)
        tasks = [task for handle in handles if (task := handle._running.task) is not None]  # pyright: ignore[reportPrivateUsage]
        left = await see_end(tasks, self._drain)
        for handle in handles:
            handle.cancel("shutdown")
        for task in await see_end(left, 0.5):
            supervisor_of(task.get_loop()).adopt(task, "background work", "shutdown", 0.1)

    async def _end_resisting(self) -> None:
        await see_end(supervisor_of(asyncio.get_running_loop()).tasks, 0.5)

    def _detach(self) -> None:
        if self._control:
            from .control import CONTROL

            CONTROL.remove(self)
        self._watching.end()
        if self._owns_lanes:
            self._lanes.close(wait=0.5)
        assert self._loop is not None
        kept = kept_on(self._loop)
        if kept.get(Runtime) is self:
            del kept[Runtime]
            previous = self._previous
            while previous is not None and previous.closed:  # closed out of order
                previous = previous._previous
            if previous is not None:
                kept[Runtime] = previous
        if self.events.heard:
            self.events.emit("runtime.closed")

    # -- work ----------------------------------------------------------------------------------------------------

    def start(self, call: Coroutine[Any, Any, T]) -> Handle[T]:
        """Start *call* in the background; ``aclose`` waits for it, boundedly.

        It outlives whoever starts it, and isn't bound to the deadlines and budgets around this call. It may call no
        more than the agent that starts it may, and is asked about as that one's calls are.
        A failure is logged, unless somebody awaits the handle when the call ends.

        Raises:
          RuntimeError: the runtime is closed, was never opened, or belongs to another loop.
        """
        if self.closed or self._loop is not asyncio.get_running_loop():
            call.close()
            raise RuntimeError(f"{call!r} can't be started: this Runtime is closed, not open, or of another loop")
        handle = start_handle(call, background_frame(), self._background_ended)
        if not handle.done:
            self._background[handle] = None
        return handle

    def _background_ended(self, handle: Handle[Any]) -> None:
        self._background.pop(handle, None)
        outcome = handle.outcome
        if isinstance(outcome, (Failed, TimedOut)) and not handle.is_awaited:
            _log.error("background call %r failed", handle.call, exc_info=outcome.error)

    def lane(self, name: str) -> Lane:
        """Return the lane called *name*, opened on first use."""
        explored = getattr(self._loop, "explored_lane", None)  # a loop that decides what threads do (testing/exploring)
        lane = self.lanes[name] = self._lanes.open(name) if explored is None else explored(name)
        if isinstance(lane, ThreadLane):
            self._watching.sample_threads(lane)
        return lane

    def meter(self, key: str, name: str, lane: str) -> Meter:
        """Return the meter of *key* (a tool's ``counted_as``), made on first use."""
        found = self.meters.get(key)
        if found is None:
            found = self.meters[key] = Meter(name, lane)
            found.listen(self.timers_wanted > 0)
        return found

    def drain(self) -> None:
        """Take in no new work from fan-outs: what runs goes on, the other items become ``Cancelled("shutdown")``."""
        if not self.draining:
            self.draining = True
            if self.events.heard:
                self.events.emit("runtime.draining")
            for fanout in list(self._fanouts):
                fanout.drain()

    def watch_pipeline(self, line: Any) -> None:
        """Tell those who look what the stages of *line*, a pipeline that runs, do; in ``line.words()``."""
        self._pipelines.add(line)

    def watch_fanout(self, fanout: Any) -> None:
        """Tell *fanout* when the runtime drains."""
        self._fanouts.add(fanout)

    async def enter(self, manager: Any) -> Any:
        """Enter an asynchronous context manager that is left when the runtime closes, in reverse order."""
        return await self._exits.enter_async_context(manager)

    def push_exit(self, close: Callable[[], Any]) -> None:
        """Call *close* when the runtime closes, in reverse order; it may return an awaitable."""

        async def closing() -> None:
            result = close()
            if asyncio.iscoroutine(result):
                await result

        self._exits.push_async_callback(closing)

    # -- looking -------------------------------------------------------------------------------------------------

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell *listener* of every event from now on; the returned function ends that. See ``Events.subscribe``."""
        return self.events.subscribe(listener)

    def report(self) -> PlacementReport:
        """Return what each tool cost and where it would gain; ``str()`` of it is a table."""
        from ..observe.report import PlacementReport  # a reader; imported when read

        return PlacementReport(
            list(self.meters.values()),
            self._lanes.statistics(),
            stalls=tuple(self._watching.stalls),
            interpreter_held=self._watching.interpreter_held(),
        )

    def statistics(self) -> dict[str, Any]:
        """Return what is under way and every bound, by lane; plus background calls, fan-outs and tasks that resist.

        ``"limits"`` has for each limit in use what is in flight and waits, the bounds, and where there is something to
        tell: ``used`` of each window and its bound; ``held_up``, why nobody is let in, in words; ``paused_for``;
        ``history``, changes of an adaptive bound; ``circuit``; how many ``waited``, and for how long all together. With
        ``key=``, the sums and the ``busiest`` 20 keys.
        """
        loop = self._loop
        return {
            **self._lanes.statistics(),
            "background": len(self._background),
            "fanouts": sum(not fanout.over for fanout in list(self._fanouts)),  # others await the collector
            "resisting": 0 if loop is None else len(supervisor_of(loop).resisting),
            "limits": self._limits(),
        }

    def _limits(self) -> dict[str, Any]:
        """Several limits may show alike: from the second on they are numbered, in the order of first use."""
        shown: dict[str, Any] = {}
        alike: Counter[str] = Counter()
        for limit, places in list(self.limits.items()):
            name = str(limit)
            alike[name] += 1
            shown[name if alike[name] == 1 else f"{name} #{alike[name]}"] = places.statistics()
        return shown


async def _closing(runtime: Runtime) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await runtime.aclose()


def open_on(loop: asyncio.AbstractEventLoop) -> Runtime | None:
    """Return the runtime that is open on *loop*, the default one included; None when there is none yet."""
    return kept_on(loop).get(Runtime)


def current() -> Runtime:
    """Return the runtime for the running loop: the context's, the loop's open one, or a default one.

    Raises:
      RuntimeError: no event loop runs in this thread.
    """
    loop = asyncio.get_running_loop()
    runtime: Runtime | None = current_runtime.get()
    if runtime is not None and runtime._loop is loop and not runtime.closed:  # pyright: ignore[reportPrivateUsage]
        return runtime
    runtime = open_on(loop)
    if runtime is None:
        runtime = Runtime._default(loop)  # pyright: ignore[reportPrivateUsage]
    return runtime


def outstanding_on(loop: asyncio.AbstractEventLoop) -> int:
    """Return how many jobs of *loop* are in lanes with workers: for clocks that must not jump past them."""
    runtime = open_on(loop)
    return 0 if runtime is None else runtime.outstanding


def thread_lane_for(loop: asyncio.AbstractEventLoop | None) -> ThreadLane:
    """Return the thread lane of the runtime that is open on *loop*, or the one that default runtimes share."""
    runtime = None if loop is None else open_on(loop)
    lanes = _shared_lanes if runtime is None else runtime._lanes  # pyright: ignore[reportPrivateUsage]
    lane = lanes.open("thread")
    assert isinstance(lane, ThreadLane)
    return lane
