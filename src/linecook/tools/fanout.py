"""The engine under ``gather``, ``settle``, ``as_completed`` and ``first``: a window of calls over a lazy input.

Every item runs in a task, context and frame of its own; the next one is begun in the very step in which one ends.
A window beats a semaphore around ``gather`` by six to one: there all tasks exist anyway (benchmarks: fanout_100k).
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Sized
from contextvars import copy_context
from time import monotonic
from typing import Any

from .._core.callframe import CallFrame, call_from
from .._core.context import get_frame
from .._core.errors import AlreadyRun, TimedOutError, UsageError, Work
from .._core.outcome import Cancelled, Ok, Outcome, TimedOut
from .._core.running import outcome_of, primer
from .._core.supervise import cancel_requests, raise_if_cancelled_since, see_end, supervisor_of
from .._core.timers import timers_of
from .._runtime import current
from .fanout_frame import FanOutFrame, depth_below
from .inputs import Feed, discard, ending_of, iterator_over

_log = logging.getLogger("linecook")
_CHUNK = 1000
_BURST = 64
_HAS_EAGER = sys.version_info >= (3, 12)


class FanOut:
    """Runs the calls of one input, at most ``limit`` at once.

    Attributes:
      running: what is under way, each call with its task.
      unread: what counts against the window besides, so that a reader isn't overrun.
      feeding: whether more may begin; it ends with the input, with ``stop`` and with ``drain``.
      exhausted: whether the input has been read to its end.
      draining: whether the runtime shuts down: nothing more begins, what runs goes on.
      stopping: why what runs was asked to end; None while it wasn't.
      held: what an asynchronous input gave when nothing could begin any more.
      error: what reading the input raised; the fan-out is to raise that.

    ``on_outcome(index, outcome)`` is called once for each item that began, in the step in which it ends, and may
    call ``stop``.
    """

    __slots__ = (
        "__weakref__", "_base", "_count", "_eager", "_feed", "_frame", "_has_factory", "_idle", "_left", "_limit",
        "_on_outcome", "_on_over", "_pulling", "_sized", "_source", "draining", "error", "exhausted", "feeding",
        "grace", "held", "loop", "running", "runtime", "stopping", "unread",
    )  # fmt: skip

    def __init__(
        self, name: str, source: Iterable[Any] | AsyncIterable[Any], limit: int | None,
        on_outcome: Callable[[int, Outcome[Any]], None], grace: float,
    ) -> None:  # fmt: skip
        self.loop = asyncio.get_running_loop()
        self.runtime = current()
        self.grace = grace
        self._source = iterator_over(source, name)
        self._sized = isinstance(source, Sized)
        self._frame = FanOutFrame(name)
        parent = get_frame()
        if parent is not None:
            self._frame.stand_under(parent)
            self._frame.depth = depth_below(parent, name)
            if parent.account is not None and isinstance(source, Sized):
                parent.account.check_fan_out(name, len(source))
        self._base = copy_context()
        self._limit = sys.maxsize if limit is None else limit
        self._on_outcome = on_outcome
        self._count = 0
        self._idle: asyncio.Future[None] | None = None
        self._on_over: Callable[[], None] | None = None
        self._left: set[CallFrame] = set()
        self._pulling = False
        self._has_factory = self.loop.get_task_factory() is not None  # one may have other ideas: asked for each task
        self._eager = _HAS_EAGER and not self._has_factory
        self.running: dict[CallFrame, asyncio.Task[None]] = {}
        self.unread: Sized = ()
        self.held: list[Any] = []
        self.exhausted = False
        self.stopping: str | None = None
        self.draining = self.runtime.draining
        self.feeding = not self.draining
        self.error: BaseException | None = None
        self._feed = Feed(self, self._source) if isinstance(self._source, AsyncIterator) else None
        self.runtime.watch_fanout(self)

    # -- beginning -----------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Begin calls while there is room and input; each takes its first step in the next turn of the loop."""
        self._pull(eager=False)

    def has_room(self) -> bool:
        """Say whether one more may begin now."""
        return self.feeding and len(self.running) + len(self.unread) < self._limit

    def _pull(self, eager: bool) -> None:
        if self._feed is not None:
            self._feed.wake()
        elif self.feeding and not self._pulling:
            self._pulling = True  # a body that ends within its eager first step comes back here: it must not pile up
            try:
                self._pull_from(self._source, eager)
            finally:
                self._pulling = False
        if not self.running:
            self._tell_if_over()

    def _pull_from(self, source: Any, eager: bool) -> None:
        running, unread, limit, begin = self.running, self.unread, self._limit, self.begin
        burst = _BURST
        while self.feeding and (under_way := len(running)) + len(unread) < limit:
            try:
                item = next(source)
            except StopIteration:
                self.exhausted, self.feeding = True, False
                return
            except BaseException as error:
                self.fail(error, f"raised by the input of {self._frame.name}, after {self._count} items")
                return
            begin(item, eager)
            if len(running) <= under_way:  # it ended at once; many such must not keep the loop from the others
                burst -= 1
                if not burst:
                    self.loop.call_soon(self.fill)
                    return

    def begin(self, item: Any, eager: bool) -> None:
        """Begin one item of the input, in a task and context of its own; an item that is no call ends the fan-out."""
        index = self._count
        self._count = index + 1
        context = self._base.copy()
        try:
            call = item if isinstance(item, CallFrame) else call_from(item)
            body = call.open(self._frame, context)
        except BaseException as error:
            discard(item)
            self.fail(error, f"this is item {index} of the input of {self._frame.name}")
            return
        call.index = index
        if eager:
            # The first step now, in place of the turn in which another call has ended: a sixth less (fanout_100k).
            # Only there: at the start of a fan-out, agents that fan out in turn would pile up on one stack.
            driver = self._drive(call, body, False)
            task = asyncio.Task(driver, loop=self.loop, context=context, eager_start=True)  # type: ignore[call-arg]
            if not task.done():
                self.running[call] = task
                if self.stopping is not None:
                    task.cancel(self.stopping)
            return
        driver = self._drive(call, body, True)
        # Up to the primer, so that a task cancelled before its first step still passes through the handlers of
        # _drive: a done-callback would see that too, and costs 0.6 µs an agent (benchmarks: fanout_100k).
        driver.send(None)
        if not self._has_factory:
            self.running[call] = asyncio.Task(driver, loop=self.loop, context=context)  # as create_task, 0.3 µs sooner
        else:
            task = self.loop.create_task(driver, context=context)
            if not task.done():  # a factory may make eager tasks
                self.running[call] = task

    async def _drive(self, call: CallFrame, body: Coroutine[Any, Any, Any], primed: bool) -> None:
        try:
            if primed:
                await primer()
            outcome: Outcome[Any] = Ok(await body, call)
            if call.running < 0.0:
                call.running += monotonic()
        except BaseException as error:
            outcome = outcome_of(call, body, error, self.stopping)
        if self._left and call in self._left:  # its outcome was given when it would not end
            self._left.discard(call)
            return
        # Outside the handler above: what begins here would carry this error as its context.
        running = self.running
        running.pop(call, None)
        assert call.index is not None
        self._on_outcome(call.index, outcome)
        del outcome  # an error knows this frame by its traceback: a circle
        if self.feeding:
            self._pull(self._eager)
        elif not running:
            self._tell_if_over()

    def fail(self, error: BaseException, note: str) -> None:
        """The input itself is broken: stop, and have the fan-out raise *error*, with *note* on it."""
        error.add_note(note)
        if not self.feeding:  # it was being ended for another reason, which goes first
            _log.warning("the input of %s failed while it was being ended", self._frame.name, exc_info=error)
            return
        self.error = ending_of(error, self._frame.name)
        self.stop("sibling")

    def fail_feed(self, error: BaseException) -> None:
        """The asynchronous input could not be read on."""
        self.fail(error, f"raised by the input of {self._frame.name}, after {self._count} items")

    # -- ending --------------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Begin nothing more and ask what runs to end, once: who cleans up is not disturbed by a second request."""
        self.feeding = False
        if self.stopping is None:
            self.stopping = reason
            for task in list(self.running.values()):
                task.cancel(reason)
            if self._feed is not None:
                self._feed.cancel(reason)
        self.wake()
        self._tell_if_over()

    def drain(self) -> None:
        """Begin nothing more; what runs goes on."""
        self.draining, self.feeding = True, False
        feed = self._feed
        if feed is not None and feed.reads:
            feed.cancel("shutdown")
            timers_of(self.loop).at(self.loop.time() + self.grace, lambda _: self._leave_feed())
        self._tell_if_over()

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing more will begin."""
        ended = self.exhausted or self.draining or self.stopping is not None
        return ended and not self.running and (self._feed is None or not self._feed.reads)

    @property
    def is_async(self) -> bool:
        """Whether the input is read by waiting for it."""
        return self._feed is not None

    def on_over(self, tell: Callable[[], None]) -> None:
        """Call *tell* when nothing runs and nothing more will begin."""
        self._on_over = tell

    def feed_ended(self) -> None:
        """Take note that an asynchronous input is read no more."""
        if not self.draining and self.stopping is None:
            self.exhausted = True
        self.feeding = False
        self._tell_if_over()

    def _tell_if_over(self) -> None:
        if (self._idle is not None or self._on_over is not None) and self.over:
            self.wake()
            if self._on_over is not None:
                self._on_over()

    async def wait_over(self) -> None:
        """Wait until nothing runs and nothing more will begin, or until it is being stopped."""
        while not self.over and self.stopping is None:
            self._idle = self.loop.create_future()
            await self._idle

    def wake(self) -> None:
        """Have ``wait_over`` look again."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def see_end(self) -> None:
        """After ``stop``: wait at most ``grace`` for what runs; the rest is left to the supervisor, as outcomes too.

        Raises:
          CancelledError: the caller was cancelled meanwhile; raised when all of this is done.
        """
        tasks = list(self.running.values())
        if self._feed is not None and self._feed.task is not None and self._feed.reads:
            tasks.append(self._feed.task)
        if not tasks:
            return
        before = cancel_requests()
        if await see_end(tasks, self.grace) or self.running:
            self.leave()
        raise_if_cancelled_since(before)

    def leave(self) -> None:
        """Leave to the loop's supervisor what still runs; its outcome is ``Cancelled``, and abandoned."""
        reason = self.stopping or "caller"
        for call, task in list(self.running.items()):
            del self.running[call]
            if task.done():
                continue
            self._left.add(call)
            supervisor_of(self.loop).adopt(task, repr(call), reason, max(self.grace, 0.05))
            assert call.index is not None
            self._on_outcome(call.index, Cancelled(reason, call, work="abandoned"))
        self._leave_feed()
        self._tell_if_over()

    def _leave_feed(self) -> None:
        feed = self._feed
        if feed is not None and feed.task is not None:
            task, feed.task = feed.task, None
            label = f"the input of {self._frame.name}"
            supervisor_of(self.loop).adopt(task, label, self.stopping or "shutdown", max(self.grace, 0.05))
            self._tell_if_over()

    async def rest(self) -> list[CallFrame]:
        """Take what was never begun out of the input, in order; it will not run. The input must have an end.

        Of an asynchronous input nothing is read any more: it may never answer.
        """
        rest: list[CallFrame] = []
        if self.exhausted or self.error is not None:
            return rest
        source: Any = self._source
        if self.is_async:
            source, self.held = self.held, []
        try:
            for item in source:
                call = self._never_begun(item)
                call.index = self._count
                self._count += 1
                rest.append(call)
                if len(rest) % _CHUNK == 0:
                    await asyncio.sleep(0)
            self.exhausted = not self.is_async
        finally:
            self._discard_rest()
        return rest

    def _never_begun(self, item: Any) -> CallFrame:
        try:
            call = call_from(item)
            if call.index is not None:
                raise AlreadyRun(f"{call!r} stands in the input twice; a call runs once. Use call.again().")
        except UsageError as error:
            error.add_note(f"this is item {self._count} of the input of {self._frame.name}")
            raise
        call.discard()
        return call

    def release(self) -> None:
        """Let go of everything, when it is over: an error that somebody keeps must not keep all the outcomes alive.

        What was handed over and not begun is given up, so that nobody reports it as never awaited; only of an input
        that holds its calls already, such as a list: a lazy one has not made them.
        """
        self._discard_rest()
        self._source, self._sized, self.unread = iter(()), False, ()
        self._on_outcome, self._on_over = _ignore, None

    def _discard_rest(self) -> None:
        for item in self.held:
            discard(item)
        if self._sized and not self.exhausted and not isinstance(self._source, AsyncIterator):
            for item in self._source:
                discard(item)


def _ignore(_index: int, _outcome: Outcome[Any]) -> None:
    return


def check_limit(limit: Any, name: str) -> int | None:
    """Return *limit* when it is a whole number of 1 or more, or None.

    Raises:
      UsageError: it is a ``Limit``, which belongs on tools, or no number.
      ValueError: it is below 1.
    """
    if limit is None:
        return None
    if hasattr(limit, "in_flight"):
        cure = f"{limit!r} belongs on tools: @tool(limit=...)"
        raise UsageError(f"limit= of {name} takes a number of calls in flight; {cure}")
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise UsageError(f"limit= of {name} must be a whole number or None, not {limit!r}")
    if limit < 1:
        raise ValueError(f"limit= of {name} must be 1 or more (None: no bound), not {limit}")
    return limit


def late(call: CallFrame, timeout: float, name: str, work: Work) -> TimedOut:
    """Return the outcome of *call*, cut off by the time-out of the whole fan-out."""
    error = TimedOutError(
        f"{call!r} had not ended when {name}(timeout={timeout:g}) passed", call=call, after=timeout,
        whose=f"timeout of {name}", work=work, queued=call.queued, running=call.seconds_running(),
        attempt=call.attempts,
    )  # fmt: skip
    return TimedOut(timeout, call, error=error)
