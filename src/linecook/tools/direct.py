"""The short way into a lane, for the tools that most are: a lane, perhaps a ``timeout``, and no other policy.

It does what ``placement`` composes out of parts, in one generator that the awaiting task drives itself, and with one
object that is job, future, deadline and timer in one (benchmarks: thread_noop, hung_tools; counted by callgrind, 48,000
instructions a call in place of 66,000 with a coroutine, a future and a place in the heap; ``to_thread``: 152,000).
"""

from __future__ import annotations

import asyncio
from asyncio import get_running_loop
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from time import monotonic
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from .._core.context import Frame, Priority, get_deadline, get_frame, inherited_priority
from .._core.deadline import remaining_for
from .._core.timers import line_of
from .._runtime import Runtime, current
from ..lanes.base import AwaitedJob, Job, Lane
from .call import Call, R_co, ToolCall, nested
from .policies.timeout import too_late

if TYPE_CHECKING:
    from .tool import Tool


def direct(
    tool: Tool[Any, Any],
    give_up: Callable[[Job, Lane, Call[Any]], None],
    failed: Callable[[Call[Any], BaseException], None],
    check: Callable[[Call[Any], Any], Any],
) -> Direct:
    """Compose the way calls of *tool* run."""
    if tool.is_tool:
        tool._call = DirectCall  # pyright: ignore[reportPrivateUsage]
    return Direct(tool, give_up, failed, check)


def is_direct(tool: Tool[Any, Any]) -> bool:
    """Say whether calls of *tool* can take the short way."""
    asked = tool.asked
    others = (tool.limit, asked.retry, asked.attempt_timeout, asked.approve)
    return tool.lane in ("thread", "process") and not tool.is_stream and others == (None, None, None, None)


class Direct:
    """The way that calls of *tool* run; ``give_up``, ``failed`` and ``check`` are ``placement``'s."""

    __slots__ = (
        "body",
        "check",
        "counted_as",
        "failed",
        "give_up",
        "in_process",
        "label",
        "lane",
        "name",
        "priority",
        "timeout",
    )

    def __init__(
        self,
        tool: Tool[Any, Any],
        give_up: Callable[[Job, Lane, Call[Any]], None],
        failed: Callable[[Call[Any], BaseException], None],
        check: Callable[[Call[Any], Any], Any],
    ) -> None:
        self.body = tool.body
        self.counted_as = tool.counted_as
        self.lane = tool.lane
        self.in_process = tool.lane == "process"
        self.timeout = tool.asked.timeout
        self.label = tool.__name__
        self.name = tool.__qualname__
        self.priority: Priority | None = tool.priority
        self.give_up = give_up
        self.failed = failed
        self.check = check

    async def __call__(self, call: Call[Any]) -> Any:
        """Run *call*, which was taken, for a task that drives it."""
        return await _Steps(self.steps(call))

    def steps(self, call: Call[Any]) -> Generator[Any, None, Any]:
        """Run *call*, which was taken. One function, and no coroutine: each costs 0.3 µs a call (thread_noop)."""
        parent = call.parent
        runtime: Runtime | None = None if parent is None else parent.runtime
        if runtime is None or runtime.closed:
            runtime = current()
            if parent is not None:
                parent.runtime = runtime
        call.runtime = runtime
        name, body = self.lane, self.body
        lane = runtime.lanes.get(name) or runtime.lane(name)
        loop = get_running_loop()
        meter = runtime.meters.get(self.counted_as) or runtime.meter(self.counted_as, self.name, name)
        priority: Priority = self.priority or inherited_priority(parent)
        context = None if self.in_process else copy_context()
        job = TimedJob(body, call.args, call.kwargs, meter, loop, self.label, call, context, priority)
        timeout, line = self.timeout, None
        if timeout is not None:
            line = line_of(loop, timeout)
            job.at = line.now() + timeout
            call.due = job
        if self.in_process:
            job.port = job.worker = None
            job.deadline_left = None if timeout is None and get_deadline() is None else remaining_for(call)
        call.attempts = 1
        runtime.outstanding += 1
        try:
            lane.submit(job)
            if line is not None:
                job.way, job.waiting = self, True
                line.append(job)
            if not job.over:
                yield job
            if job.error is not None:
                raise job.error
            value = job.value
            return value if type(value) is not CoroutineType else self.check(call, value)
        except asyncio.CancelledError as error:
            self.give_up(job, lane, call)
            self.failed(call, error)
            raise
        except BaseException as error:
            self.failed(call, error)
            raise
        finally:
            runtime.outstanding -= 1
            # Cycles would cost a collection now and then, 5 µs a call (thread_noop): the body's context holds the call,
            # and an error's traceback holds this frame.
            call.due = job.error = None
            if line is not None:
                job.waiting = False
                line.prune()
            if job.ended_at:
                call.queued, call.running = job.started_at - job.queued_at, job.ended_at - job.started_at
            else:
                note_times(job, call)


class _Steps:
    """What an async function awaits to drive a generator of steps."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Generator[Any, None, Any]) -> None:
        self._steps = steps

    def __await__(self) -> Generator[Any, None, Any]:
        return self._steps


class DirectCall(ToolCall[R_co]):
    """A call that runs the short way, in the very task that awaits it."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, R_co]:
        if self._taken:
            self._take(None)
        self._taken = True
        parent = self.parent = get_frame()
        if parent is not None:
            if parent.is_tool:
                raise nested(parent, self.tool)
            self.number = parent._children
            parent._children += 1
            if parent.account is not None:
                instead = self.under(parent.account)
                if instead is not None:
                    return instead.__await__()
        way: Any = self.tool.run
        steps: Generator[Any, None, R_co] = way.steps(self)
        return steps

    def open(self, parent: Frame | None, context: Context) -> Coroutine[Any, Any, R_co]:
        # Who opens a call awaits what it gets: no coroutine of ours needs to stand around the steps (process_noop).
        instead = self._take(parent)
        if instead is not None:
            return instead
        way: Any = self.tool.run
        awaitable: Any = _Steps(way.steps(self))
        return awaitable  # type: ignore[no-any-return]


class TimedJob(AwaitedJob):
    """A job that is its own deadline: what ``remaining`` sees inside, and the moment at which it is given up."""

    __slots__ = ("at", "way")

    at: float
    way: Direct

    @property
    def clock(self) -> asyncio.AbstractEventLoop:
        """Whose time ``at`` is in."""
        return self._loop

    def fire(self) -> None:
        """The time-out has passed: give the body up and answer whoever waits."""
        if self.over or self.ended_at:
            return  # the answer came first, and is on its way: a loop that stood still must not make it late
        call: Any = self.frame
        way = self.way
        assert way.timeout is not None
        way.give_up(self, call.runtime.lane(way.lane), call)
        note_times(self, call)
        self.set_exception(too_late(call, way.timeout, "timeout"))


def note_times(job: Job, call: Call[Any]) -> None:
    """Note on *call* where the time of *job* went."""
    if job.started_at:
        call.queued = job.started_at - job.queued_at
        call.running = (job.ended_at or monotonic()) - job.started_at
    elif job.queued_at:
        call.queued = monotonic() - job.queued_at
