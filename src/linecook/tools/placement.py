"""Which way a call runs: its lane and its policies, composed once, when the tool is decorated.

A policy that isn't asked for is not on the path. From the inside out: lane, attempt time-out, limit, retry, time-out.
Every runner is an async function of the call, runs in the caller's task, and waits for nothing but what it says.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from time import monotonic
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from .._core.callframe import CallFrame
from .._core.context import Frame, here, inherited_priority, reset_frame, set_frame
from .._core.deadline import remaining
from .._core.endings import EXITS, cancellation_requested, contained, reason_of
from .._core.errors import CallCancelled, UsageError
from .._core.running import primer
from .._core.supervise import see_end, supervisor_of
from .._core.timers import timers_of
from .._runtime import Runtime, current
from ..lanes.base import DONE, Job, Lane
from .direct import direct, is_direct
from .policies.admitted import limited, limited_on_loop
from .policies.approve import approved
from .policies.retry import retried
from .policies.states import in_order
from .policies.timeout import timed, too_late

if TYPE_CHECKING:
    from .call import Call
    from .tool import Tool

_log = logging.getLogger("linecook")

Runner = Callable[["Call[Any]"], Coroutine[Any, Any, Any]]


def runner(tool: Tool[Any, Any], *, asking: bool = False) -> Runner:
    """Compose the way calls of *tool* run; *asking*: somebody is asked first, as a block around the call wants."""
    asked = tool.asked
    if asking or asked.approve is not None:
        return _framed(_asking(tool))
    if is_direct(tool):
        return direct(tool, _give_up, _failed, _check_value)
    if _is_only_limited(tool):
        return limited_on_loop(in_order(tool.limit)[0], tool.body, _failed)
    run = _lane_runner(tool)
    if run is _on_loop:
        tool.is_bare = not tool.is_stream
        return run
    run = _with_attempts(tool, run)
    if asked.timeout is not None:
        run = timed(run, asked.timeout, "timeout", tool.__name__)
    return run if run is _inline else _framed(run)


def _with_attempts(tool: Tool[Any, Any], run: Runner) -> Runner:
    if tool.limit is not None:
        run = limited(run, tool.limit, tool.body)
    return run if tool.asked.retry is None else retried(run, tool.asked.retry, tool.limit)


def _asking(tool: Tool[Any, Any]) -> Runner:
    """Compose the way with a question: once for all attempts, while no limit is held, and within the time-out."""
    run = _lane_runner(tool)
    run = approved(_with_attempts(tool, _once_more if run is _on_loop else run))
    return run if tool.asked.timeout is None else timed(run, tool.asked.timeout, "timeout", tool.__name__)


def _is_only_limited(tool: Tool[Any, Any]) -> bool:
    """Say whether *tool* is an async body under nothing but one limit."""
    asked = tool.asked
    others = (asked.retry, asked.timeout, asked.attempt_timeout)
    return tool.lane == "loop" and others == (None, None, None) and len(in_order(tool.limit)) == 1


def _lane_runner(tool: Tool[Any, Any]) -> Runner:
    asked = tool.asked
    if tool.lane == "inline":
        return _inline
    if tool.lane in ("thread", "process"):
        return _in_lane
    if asked.attempt_timeout is not None:
        return timed(_in_own_task, asked.attempt_timeout, "attempt_timeout", tool.__name__)
    if asked.timeout is not None:
        return _in_own_task
    return _on_loop if asked.retry is None and tool.limit is None else _once_more


_TOLD = object()


# -- the bodies of the loop --------------------------------------------------------------------------------------


async def _on_loop(call: Call[Any]) -> Any:
    """Run an async body in the caller's task. Nobody could read its times afterwards, so none are taken."""
    token = set_frame(call)
    call.attempts = 1
    body = call.tool.body
    try:
        # Without keywords no dictionary is made for them: 0.05 µs of 1.1 (benchmarks: call_overhead).
        return await (body(*call.args, **call.kwargs) if call.kwargs else body(*call.args))
    except BaseException as error:
        _failed(call, error)
        raise
    finally:
        reset_frame(token)


async def _inline(call: Call[Any]) -> Any:
    """Run a sync body on the loop itself."""
    token = set_frame(call)
    before, here.frame = here.frame, call
    call.attempts += 1
    began = monotonic()
    try:
        value = call.tool.body(*call.args, **call.kwargs)
        if type(value) is CoroutineType:
            raise _unawaited(call, value)  # pyright: ignore[reportUnknownArgumentType]
        return value
    except BaseException as error:
        _failed(call, error)
        raise
    finally:
        call.running = monotonic() - began
        here.frame = before
        reset_frame(token)


async def _once_more(call: Call[Any]) -> Any:
    """Run one attempt of an async body in the caller's task, under policies, which see to the rest."""
    call.attempts += 1
    began = monotonic()
    try:
        return await call.tool.body(*call.args, **call.kwargs)
    finally:
        call.running = monotonic() - began


def _framed(run: Runner) -> Runner:
    """Return *run* with the call current around all its policies, and its failures told."""

    async def run_framed(call: Call[Any]) -> Any:
        token = set_frame(call)
        try:
            return await run(call)
        except BaseException as error:
            _failed(call, error)
            raise
        finally:
            reset_frame(token)

    return run_framed


async def _in_own_task(call: Call[Any]) -> Any:
    """Run an async body in a task of its own, so that whoever waits is answered even if the body resists.

    Cancelling the caller cancels the body, waits at most ``grace`` for it, and leaves it to the supervisor after that.
    """
    loop = asyncio.get_running_loop()
    call.attempts += 1
    call.running = -monotonic()
    ended: asyncio.Future[Any] = loop.create_future()
    driver = _drive(call, ended)
    driver.send(None)  # into its handlers, so that a cancel before the first step is told too (see Running)
    task = _start(driver, loop)
    try:
        return await ended
    except asyncio.CancelledError as error:
        if _is_own_deadline(
            call, error
        ):  # with timeout=0 a body needs that turn in which both come, where none is eager
            if ended.done() and not ended.cancelled():
                return ended.result()
            if task.done() and (value := task.result()) is not _TOLD:
                return value
        if not task.done():
            await _end(call, task, reason_of(error))
        raise
    except GeneratorExit:  # closed while it waits: nobody is left to wait for the body, or to read how it ends
        ended.cancel()
        if not task.done() and loop.is_running():
            task.cancel("caller")
            supervisor_of(loop).adopt(task, repr(call), "caller", call.tool.asked.grace)
        raise
    finally:
        if call.running < 0.0:
            call.running += monotonic()


def _is_own_deadline(call: Call[Any], error: asyncio.CancelledError) -> bool:
    """Say whether nothing but a deadline of *call* itself asked for this cancellation: then it ends with the call."""
    task = asyncio.current_task()
    wheres = tuple(f"deadline: {option} of {call.name}(" for option in ("timeout", "attempt_timeout"))
    return task is not None and task.cancelling() == 1 and bool(error.args) and str(error.args[0]).startswith(wheres)


async def _drive(call: Call[Any], ended: asyncio.Future[Any]) -> Any:
    """Run the body and tell *ended*; return what it returned where nobody waits there any more, else ``_TOLD``."""
    try:
        await primer()
        value = await call.tool.body(*call.args, **call.kwargs)
    except BaseException as error:
        if ended.done():  # the caller has left
            if not isinstance(error, (asyncio.CancelledError, GeneratorExit)):
                _log.warning("%r was cancelled, and failed in its clean-up", call, exc_info=error)
        else:
            requested = isinstance(error, asyncio.CancelledError) and cancellation_requested(asyncio.current_task())
            ended.set_exception(_cancelled_by_others(call) if requested else contained(error, repr(call), call))
    else:
        if ended.done():
            return value
        ended.set_result(value)
    return _TOLD


if sys.version_info >= (3, 12):

    def _start(driver: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any]:
        """Begin the body in this very step: one turn of the loop less (benchmarks: call_overhead)."""
        if loop.get_task_factory() is not None:
            return loop.create_task(driver)
        return asyncio.Task(driver, loop=loop, eager_start=True)

else:

    def _start(driver: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any]:
        """Begin the body in the next turn of the loop."""
        return loop.create_task(driver)


def _cancelled_by_others(call: Call[Any]) -> CallCancelled:
    return CallCancelled(f"somebody cancelled the task in which {call!r} ran", call=call, work="stopped")


async def _end(call: Call[Any], task: asyncio.Task[Any], reason: str) -> None:
    task.cancel(reason)
    grace = call.tool.asked.grace
    if await see_end([task], grace):
        _left_behind(call)
        supervisor_of(task.get_loop()).adopt(task, repr(call), reason, grace)


# -- the bodies of lanes with workers ----------------------------------------------------------------------------


async def _in_lane(call: Call[Any]) -> Any:
    """Send a sync body to its lane and wait for the answer; cancelling the wait gives the body up."""
    runtime = call.runtime = current()
    tool = call.tool
    lane = runtime.lane(tool.lane)
    job = _job_for(call, runtime)
    lane.submit(job)
    call.attempts += 1
    patience = tool.asked.attempt_timeout
    timer = (
        None
        if patience is None
        else timers_of(job.future.get_loop()).at(
            job.future.get_loop().time() + patience, _look_at_attempt, (job, lane, patience, call)
        )
    )
    runtime.outstanding += 1
    try:
        return _check_value(call, await job.future)
    except asyncio.CancelledError:
        _give_up(job, lane, call)
        raise
    finally:
        runtime.outstanding -= 1
        if timer is not None:
            timer.cancel()
        _note_times(job, call)


def _check_value(call: Call[Any], value: Any) -> Any:
    """Return *value*, unless it is a coroutine that nobody would await."""
    if type(value) is CoroutineType:
        raise _unawaited(call, value)  # pyright: ignore[reportUnknownArgumentType]
    return value


def _unawaited(call: Call[Any], coroutine: CoroutineType[Any, Any, Any]) -> UsageError:
    coroutine.close()
    if call.name == "<lambda>":
        name = coroutine.__qualname__
        return UsageError(
            f"a lambda returned a coroutine ({name}), which nobody would await: a lambda hides that it is async. Hand "
            f"over {name} itself, or write an async def that awaits it; if the lambda is a decorator's wrapper, put "
            "linecook's decorator below that one."
        )
    return UsageError(
        f"{call.name} is no async def, yet returned a coroutine ({coroutine.__qualname__}), which nobody would await: "
        "a decorator between it and linecook hides that it is async. Put linecook's decorator below that one, or mark "
        "the wrapper as an async def."
    )


def _job_for(call: Call[Any], runtime: Runtime) -> Job:
    tool = call.tool
    in_process = tool.lane == "process"
    return Job(
        tool.body,
        call.args,
        call.kwargs,
        meter=runtime.meter(tool.counted_as, tool.__qualname__, tool.lane),
        future=asyncio.get_running_loop().create_future(),
        label=tool.__name__,
        frame=call,
        context=None if in_process else copy_context(),
        priority=inherited_priority(call),
        deadline_left=remaining() if in_process else None,
    )


def _note_times(job: Job, call: Call[Any]) -> None:
    now = time.monotonic()
    if job.started_at:
        call.queued += job.started_at - job.queued_at
        call.running = (job.ended_at or now) - job.started_at
    elif job.queued_at:
        call.queued += now - job.queued_at


def _look_at_attempt(waiting: tuple[Job, Lane, float, Call[Any]]) -> None:
    """End an attempt that has run too long; look again later at one that has not, or that still waits its turn."""
    job, lane, patience, call = waiting
    if job.future.done():
        return
    refresh = getattr(lane, "refresh", None)
    if refresh is not None:
        refresh(job)
    ran = time.monotonic() - job.started_at if job.started_at else 0.0
    if ran < patience:
        loop = job.future.get_loop()
        timers_of(loop).at(loop.time() + patience - ran, _look_at_attempt, waiting)
        return
    if job.state == DONE:  # the answer is on its way
        return
    _give_up(job, lane, call)
    _note_times(job, call)
    error = too_late(call, patience, "attempt_timeout")
    call.queued -= max(0.0, job.started_at - job.queued_at)  # counted once more when the wait ends
    job.future.set_exception(error)


def _give_up(job: Job, lane: Lane, call: Call[Any]) -> None:
    work = lane.cancel(job)
    job.meter.timeouts += 1
    if work == "abandoned":
        job.meter.abandoned += 1
        _left_behind(call)


def _left_behind(frame: Frame | None) -> None:
    """Note on the call, and on all it runs under, that some body runs on unseen."""
    while frame is not None:
        if isinstance(frame, CallFrame):
            frame.left_behind = True
        frame = frame.parent


# -- how failures are told ---------------------------------------------------------------------------------------


def _failed(call: Call[Any], error: BaseException) -> None:
    """Add a note that names the call; raise ``BodyExited`` in place of what would end the loop or hang the waiter."""
    if isinstance(error, EXITS):
        if isinstance(error, asyncio.CancelledError) and cancellation_requested(asyncio.current_task()):
            return
        if isinstance(error, GeneratorExit) and _is_being_closed(error):
            return
    told = call.told(error)
    if told is not error:
        raise told


def _is_being_closed(error: GeneratorExit) -> bool:
    """Tell a coroutine that is closed while it waits from a body that raises GeneratorExit itself."""
    import dis

    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return True
    operation = dis.opname[traceback.tb_frame.f_code.co_code[traceback.tb_lasti]]
    return not operation.startswith(("RAISE", "CALL"))
