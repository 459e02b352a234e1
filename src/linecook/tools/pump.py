"""The writer's side of a stream: the task that runs the generator, and the pieces that wait to be read.

A sync generator is pulled by jobs of its lane, a few pieces each, in one context, perhaps on different threads.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any

from .._core.context import Frame, current_deadline, current_frame, inherited_priority
from .._core.deadline import Deadline
from .._core.outcome import Cancelled, Failed, Ok, TimedOut
from .._core.perloop import one_per_loop
from .._core.running import Running
from .._core.supervise import cancel_requests, raise_if_cancelled_since, see_end, supervisor_of
from .._core.timers import Timer, timers_of
from .._runtime import current
from ..lanes.base import DONE, Job, Lane
from .call import nested
from .policies.approve import wait_approved, wants_asking
from .policies.several import Admitted
from .reader import Reader
from .stream_deadline import late_stream, waited
from .stream_frame import StreamFrame

_log = logging.getLogger("linecook")

BUFFER = 16
"""How many pieces may wait to be read before the writer stops."""

_SLICE = 0.005


class Pump(Reader):
    """Runs the body of one stream and holds the pieces that wait to be read."""

    def __init__(self, frame: StreamFrame, most: int = BUFFER) -> None:
        super().__init__(frame)
        self.most = most
        self.title: Any = None  # the name that the merge has for it
        self.room: asyncio.Future[None] | None = None
        self.running: Running[None] = Running(frame, self._body_ended)
        self.expiry: Timer | None = None
        self.made = 0
        self.leaving = False
        self.began = self.body_began = 0.0  # in the loop's time; 0.0: not yet
        self.pulling: Job | None = None
        self.waited_for_lane = 0.0

    @property
    def tasks(self) -> list[asyncio.Task[Any] | None]:
        return [self.task]

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task the body runs in."""
        return self.running.task

    def start(self, parent: Frame | None) -> None:
        if parent is not None:
            if parent.is_tool:
                raise nested(parent, self.tool)
            parent.adopt(self.frame)
            refusal = None if parent.account is None or self.frame.is_fan_out else parent.account.admit(self.frame)
            if refusal is not None:
                raise refusal
        if self.tool.permission is not None:
            self.frame.account = self.tool.permitting(self.frame.account)
        context = copy_context()
        context.run(current_frame.set, self.frame)
        timeout = self.tool.asked.timeout
        self.began = self.loop.time()
        if timeout is not None:
            at = self.began + timeout
            context.run(self._tighten, at, timeout)
            self.expiry = timers_of(self.loop).at(at, self.expire, ("timeout", timeout, self.began))
        # Else nobody but its reader holds it: dropped in a circle, a collection would take the task while it waits,
        # instead of the stream alone, which has the task ended.
        one_per_loop(self.loop, _under_way).add(self)
        self.running.start(self._produce(context), self.loop, context)

    def _tighten(self, at: float, timeout: float) -> None:
        nearest = current_deadline.get()
        if nearest is None or at < nearest.at:
            deadline = Deadline(timeout, f"timeout of {self.frame.name}")
            deadline.at, deadline.clock = at, self.loop
            current_deadline.set(deadline)

    # -- the writer's side ---------------------------------------------------------------------------------------

    # As few coroutines in each other as can be: they stand as long as the stream does, and every collection walks
    # through all of them (benchmarks: sse_users).

    def _produce(self, context: Context) -> Coroutine[Any, Any, None]:
        if self.tool.limit is None and not wants_asking(self.frame, self.tool):
            return self._produce_now(context)
        return self._produce_when_admitted(context)

    async def _produce_when_admitted(self, context: Context) -> None:
        if wants_asking(self.frame, self.tool):
            await wait_approved(self.frame, self.tool)
        if self.tool.limit is None:
            await self._produce_now(context)
        else:
            async with Admitted(self.frame, self.tool.limit, self.tool.body):
                await self._produce_now(context)

    async def _produce_now(self, context: Context) -> None:
        self.frame.attempts = 1
        self.body_began = self.loop.time()
        self.frame.running = -time.monotonic()
        try:
            body: Any = self.tool.body(*self.frame.args, **self.frame.kwargs)
            if not inspect.isasyncgen(body):
                await self._from_lane(body, context)
                return
            try:
                async for piece in body:
                    if len(self.pieces) < self.most:
                        self._keep(piece)
                    else:
                        await self._put(piece)
            finally:
                await body.aclose()
        finally:
            self.frame.running += time.monotonic()

    async def _from_lane(self, body: Any, context: Context) -> None:
        inside = context.copy()  # the generator's own: kept from pull to pull, wherever each one runs
        try:
            while True:
                room = BUFFER - len(self.pieces)
                pieces, error, done = await self._in_lane(_pull, (self, body, room), inside)
                for piece in pieces:
                    await self._put(piece)
                if error is not None:
                    raise error
                if done:
                    return
        finally:
            if not self.frame.left_behind:
                await self._close_in_lane(body, inside)

    async def _close_in_lane(self, body: Any, inside: Context) -> None:
        if inspect.getgeneratorstate(body) == inspect.GEN_SUSPENDED:
            await self._in_lane(body.close, (), inside)

    async def _in_lane(self, function: Callable[..., Any], args: tuple[Any, ...], inside: Context) -> Any:
        runtime = self.frame.runtime = current()
        lane = runtime.lane(self.tool.lane)
        meter = runtime.meter(self.tool.counted_as, self.tool.__qualname__, self.tool.lane)
        priority = inherited_priority(self.frame)
        future = self.loop.create_future()
        job = Job(
            function,
            args,
            {},
            meter=meter,
            future=future,
            label=self.frame.name,
            frame=self.frame,
            context=inside,
            priority=priority,
        )
        lane.submit(job)
        self.pulling = job
        runtime.outstanding += 1
        try:
            return await future
        except asyncio.CancelledError:
            self.leaving = True
            if future.cancelled() and not (self.running.reason == "caller" and await self._saw_end(job)):
                self._give_up(lane, job)
            raise
        finally:
            runtime.outstanding -= 1
            self.pulling = None
            self._note_wait(waited(job))

    def _note_wait(self, seconds: float) -> None:
        """Count *seconds* of a pull that waited for its lane: since the body began, it has not run in those."""
        self.waited_for_lane += seconds
        self.frame.queued += seconds
        self.frame.running -= seconds  # the moment it began, below zero

    async def _saw_end(self, job: Job) -> bool:
        """Wait at most ``grace`` for a pull under way; say whether it has ended.

        Only for a reader who leaves, and to whom nothing is owed: a deadline answers at once and abandons the thread.
        """
        if job.state == DONE or not job.started_at:
            return job.state == DONE
        job.future = ended = self.loop.create_future()  # the one before was cancelled along with the task
        timer = timers_of(self.loop).at(self.loop.time() + self.tool.asked.grace, _give_up_waiting, ended)
        try:
            await ended
        except asyncio.CancelledError:
            return False
        finally:
            timer.cancel()
        return True

    def _give_up(self, lane: Lane, job: Job) -> None:
        work = lane.cancel(job)
        job.meter.timeouts += self.running.reason == "deadline"
        if work == "abandoned":
            job.meter.abandoned += 1
            self.frame.left_behind = True

    async def _put(self, piece: Any) -> None:
        while len(self.pieces) >= self.most:
            self.room = self.loop.create_future()
            await self.room
        self._keep(piece)

    def _keep(self, piece: Any) -> None:
        self.pieces.append(piece)
        self.made += 1
        if self.merged is None:
            self.tell()
        else:
            self.merged.arrived(self)

    def take(self) -> Any:
        piece = self.pieces.popleft()
        if self.room is not None and not self.room.done():
            self.room.set_result(None)
        return piece

    def tell(self) -> None:
        if self.merged is None:
            super().tell()
        else:
            self.merged.over(self)

    def _body_ended(self, running: Running[None]) -> None:
        outcome = running.outcome
        if isinstance(outcome, Failed) and running.reason is not None:  # nobody reads on: the reader left, or was told
            _log.warning("%r was cancelled, and failed in its clean-up", self.frame, exc_info=outcome.error)
        elif isinstance(outcome, (Failed, TimedOut)) and self.error is None:
            self.error = outcome.error
        elif isinstance(outcome, Cancelled) and running.reason is None and self.error is None:
            self.error = outcome.error  # not our doing: without it the reader would take it for the end
        running.outcome = Ok(None, self.frame)  # the error is the reader's: kept here too, it would be a circle
        self.ended = True
        one_per_loop(self.loop, _under_way).discard(self)
        if self.expiry is not None:
            self.expiry.cancel()
        self.follow(None)
        self.tell()

    # -- ending -----------------------------------------------------------------------------------------------------

    def expire(self, deadline: tuple[str, float, float]) -> None:
        """A deadline passed: tell the reader now; the body is cancelled and seen to its end by the supervisor."""
        which, seconds, since = deadline
        if self.ended:
            return
        self.error = late_stream(self, which, seconds, since)
        self.running.cancel("deadline")
        if self.task is not None:
            supervisor_of(self.loop).adopt(self.task, repr(self.frame), "deadline", self.tool.asked.grace)
        self.tell()

    async def close(self, reason: str) -> None:
        """Cancel the body, and wait at most ``grace`` for its end.

        Raises:
          CancelledError: the caller was cancelled meanwhile; raised when that wait is over.
        """
        self.pieces.clear()
        if self.merged is not None:
            self.merged.forget(self)
        if self.task is None or self.task.done():
            return
        self.running.cancel(reason)
        before = cancel_requests()
        if await see_end([self.task], self.tool.asked.grace):
            supervisor_of(self.loop).adopt(self.task, repr(self.frame), reason, self.tool.asked.grace)
        raise_if_cancelled_since(before)

    def drop(self) -> None:
        """The reader is gone: cancel the body from wherever the stream was collected."""
        if self.ended or self.task is None or self.loop.is_closed():
            return
        try:
            self.loop.call_soon_threadsafe(self._cancel_dropped)
        except RuntimeError:  # closed in between
            return

    def _cancel_dropped(self) -> None:
        if self.task is not None and not self.task.done():
            self.running.cancel("caller")
            supervisor_of(self.loop).adopt(self.task, repr(self.frame), "caller", self.tool.asked.grace)


def _under_way() -> set[Pump]:
    return set()


def _give_up_waiting(ended: asyncio.Future[Any]) -> None:
    ended.cancel()


def _pull(pump: Pump, body: Any, most: int) -> tuple[list[Any], BaseException | None, bool]:
    """Take up to *most* pieces, but no more once ``_SLICE`` seconds have passed; close *body* if the reader has left.

    Returns:
      the pieces made, the error that came after them or None, and whether that was the end.
    """
    pieces: list[Any] = []
    began = time.monotonic()
    while len(pieces) < max(1, most) and not pump.leaving:
        try:
            pieces.append(next(body))
        except StopIteration:
            return pieces, None, True
        except BaseException as error:
            return pieces, error, True
        if time.monotonic() - began > _SLICE:
            break
    if pump.leaving:  # here, on its own thread, and not on the loop's, where the last reference may go
        try:
            body.close()
        except BaseException as error:
            return [], error, True
        return [], None, True
    return pieces, None, False
