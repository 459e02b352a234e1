"""The engine under ``gather``, ``settle``, ``as_completed`` and ``first``: a window of calls over a lazy input.

Every item runs in a task, context and frame of its own; the next one is begun in the very step in which one ends.
A window beats a semaphore around ``gather`` by six to one: there all tasks exist anyway (benchmarks: fanout_100k).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextvars import copy_context
from typing import Any

from .._core.callframe import CallFrame, call_from
from .._core.context import Frame, current_frame
from .._core.errors import TimedOutError, UsageError
from .._core.outcome import Cancelled, Outcome, TimedOut
from .._core.running import Running
from .._core.supervise import see_end, supervisor_of
from .._runtime import current
from .stream import Stream

_CHUNK = 1000


class FanOutFrame(Frame):
    """The place of a fan-out in the tree of calls."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @property
    def name(self) -> str:
        return self._name


class FanOut:
    """Runs the calls of one input, at most ``limit`` at once.

    ``feeding`` says whether more may begin: it ends with the input, with ``stop`` and with ``drain``.
    ``on_outcome(index, outcome)`` is called once for each item that began, in the step in which it ends, and may
    call ``stop``. ``room()`` says how many more may begin, for a reader that must not be overrun.
    """

    __slots__ = (
        "__weakref__", "_base", "_count", "_fetching", "_frame", "_idle", "_is_async", "_limit", "_on_outcome", "_on_over", "_source",
        "draining", "error", "exhausted", "feeding", "grace", "loop", "room", "running", "runtime", "stopping",
    )  # fmt: skip

    def __init__(
        self, name: str, source: Iterable[Any] | AsyncIterable[Any], limit: int | None,
        on_outcome: Callable[[int, Outcome[Any]], None], grace: float,
    ) -> None:  # fmt: skip
        self.loop = asyncio.get_running_loop()
        self.runtime = current()
        self.grace = grace
        self._frame = FanOutFrame(name)
        parent = current_frame.get()
        if parent is not None:
            parent.adopt(self._frame)
        self._base = copy_context()
        self._source: Any = _iterator_over(source, name)
        self._is_async = isinstance(self._source, AsyncIterator)
        self._limit = sys.maxsize if limit is None else limit
        self._on_outcome = on_outcome
        self._count = 0
        self._fetching: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._on_over: Callable[[], None] | None = None
        self.running: dict[int, Running[Any]] = {}
        self.room: Callable[[], bool] | None = None
        self.exhausted = False
        self.stopping: str | None = None
        self.draining = self.runtime.draining
        self.feeding = not self.draining
        self.error: BaseException | None = None
        self.runtime.watch_fanout(self)

    # -- beginning -----------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Begin calls while there is room and input."""
        if self._is_async:
            self._fill_from_async()
            return
        running, limit, room, source = self.running, self._limit, self.room, self._source
        while self.feeding and len(running) < limit and (room is None or room()):
            try:
                item = next(source)
            except StopIteration:
                self.exhausted, self.feeding = True, False
                break
            except BaseException as error:
                self._fail(error)
                break
            self._begin(item)
        if not running:
            self._tell_if_over()

    def _may_begin(self) -> bool:
        return self.feeding and len(self.running) < self._limit and (self.room is None or self.room())

    def _begin(self, item: Any) -> None:
        index = self._count
        self._count = index + 1
        context = self._base.copy()
        try:
            call = item if isinstance(item, CallFrame) else call_from(item)
            body = call.open(self._frame, context)
        except BaseException as error:
            self._fail(_placed(error, index, item))
            return
        call.index = index
        running: Running[Any] = Running(call, self._ended)
        self.running[index] = running
        running.start(body, self.loop, context)

    def _fill_from_async(self) -> None:
        if self._fetching is None and self._may_begin():
            self._fetching = self.loop.create_task(self._fetch(), context=self._base.copy())
        self._tell_if_over()

    async def _fetch(self) -> None:
        source = self._source
        try:
            while self._may_begin():
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    self.exhausted, self.feeding = True, False
                    break
                if self.stopping is None:
                    self._begin(item)
                else:
                    _discard(item)
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._fetching = None
            self._tell_if_over()

    def _fail(self, error: BaseException) -> None:
        """The input itself is broken: stop, and have the fan-out raise that."""
        if self.error is None:
            self.error = error
        self.stop("sibling")

    # -- ending --------------------------------------------------------------------------------------------------

    def _ended(self, running: Running[Any]) -> None:
        index = running.call.index
        assert index is not None and running.outcome is not None
        del self.running[index]
        self._on_outcome(index, running.outcome)
        if self.feeding:
            self.fill()
        elif not self.running:
            self._tell_if_over()

    def stop(self, reason: str) -> None:
        """Begin nothing more and ask what runs to end."""
        self.feeding = False
        if self.stopping is None:
            self.stopping = reason
        for running in list(self.running.values()):
            running.cancel(reason)
        if self._fetching is not None:
            self._fetching.cancel(reason)
        self._tell_if_over()

    def drain(self) -> None:
        """Begin nothing more; what runs goes on."""
        self.draining, self.feeding = True, False
        if self._fetching is not None:
            self._fetching.cancel("shutdown")
        self._tell_if_over()

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing more will begin."""
        ended = self.exhausted or self.draining or self.stopping is not None
        return ended and not self.running and self._fetching is None

    def on_over(self, tell: Callable[[], None]) -> None:
        """Call *tell* when nothing runs and nothing more will begin."""
        self._on_over = tell

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

    async def see_end(self) -> None:
        """After ``stop``: wait at most ``grace`` for what runs; the rest is left to the supervisor, as outcomes too."""
        tasks = [running.task for running in self.running.values() if running.task is not None]
        if self._fetching is not None:
            tasks.append(self._fetching)
        if await see_end(tasks, self.grace):
            self._leave()

    def _leave(self) -> None:
        for running in list(self.running.values()):
            if running.task is not None and not running.task.done():
                reason = running.reason or "caller"
                supervisor_of(self.loop).adopt(running.task, repr(running.call), reason, max(self.grace, 0.05))
                running.end_as(Cancelled(reason, running.call, work="abandoned"))

    def wake(self) -> None:
        """Have ``wait_over`` look again."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def rest(self) -> list[CallFrame]:
        """Take what was never begun out of the input, in order; it will not run. The input must have an end."""
        if self.exhausted or self.error is not None:
            return []
        rest: list[CallFrame] = []
        source = self._source
        while not self.exhausted:
            try:
                item = await anext(source) if isinstance(source, AsyncIterator) else next(source)
            except (StopIteration, StopAsyncIteration):
                self.exhausted = True
                break
            call = call_from(item)
            call.index = self._count
            self._count += 1
            call.discard()
            rest.append(call)
            if len(rest) % _CHUNK == 0:
                await asyncio.sleep(0)
        return rest


def _iterator_over(source: Any, name: str) -> Iterator[Any] | AsyncIterator[Any]:
    if isinstance(source, (str, bytes, dict)) or isinstance(source, CallFrame):
        raise UsageError(f"{name} takes calls, or one iterable of calls; got {source!r} ({type(source).__name__})")
    if isinstance(source, Stream):
        raise UsageError(f"{name} takes calls; {source!r} is a stream: read it with 'async for'")
    if isinstance(source, AsyncIterable):
        return aiter(source)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    try:
        return iter(source)
    except TypeError:
        raise UsageError(f"{name} takes calls, or one iterable of calls; got {source!r} ({type(source).__name__})") from None


def _placed(error: BaseException, index: int, item: Any) -> BaseException:
    if isinstance(error, UsageError):
        error.add_note(f"this is item {index} of the input")
    return error


def _discard(item: Any) -> None:
    close = getattr(item, "close", None)
    if close is not None:
        close()


def check_limit(limit: Any, name: str) -> int | None:
    """Return *limit* when it is a whole number of 1 or more, or None.

    Raises:
      UsageError: it is a ``Limit``, which belongs on tools, or no number.
      ValueError: it is below 1.
    """
    if limit is None:
        return None
    if hasattr(limit, "in_flight"):
        raise UsageError(f"limit= of {name} takes a number of calls in flight; {limit!r} belongs on tools: @tool(limit=...)")
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise UsageError(f"limit= of {name} must be a whole number or None, not {limit!r}")
    if limit < 1:
        raise ValueError(f"limit= of {name} must be 1 or more (None: no bound), not {limit}")
    return limit


def late(call: CallFrame, timeout: float, name: str, work: Any) -> TimedOut:
    """Return the outcome of *call*, cut off by the time-out of the whole fan-out."""
    error = TimedOutError(
        f"{call!r} had not ended when {name}(timeout={timeout:g}) passed", call=call, after=timeout,
        whose=f"timeout of {name}", work=work, queued=call.queued, running=call.running, attempt=call.attempts,
    )  # fmt: skip
    return TimedOut(timeout, call, error=error)
