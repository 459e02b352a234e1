"""``as_completed``: outcomes as they come, over an input that may have no end, in the memory of the window."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sized
from types import TracebackType
from typing import Any, Generic, TypeVar

from .._core.deadline import check_seconds
from .._core.errors import TooManyFailures
from .._core.outcome import Cancelled, Failed, Outcome, Settled, TimedOut
from .._core.supervise import supervisor_of
from .._core.timers import Timer, timers_of
from .fanout import FanOut, check_limit, late
from .many import GRACE, WINDOW, Many, failures_allowed

T = TypeVar("T")


class Completed(AsyncIterator[Outcome[T]], Generic[T]):
    """The outcomes of a fan-out in the order in which calls end; made by ``as_completed``."""

    def __init__(
        self, calls: Many[T], limit: int | None, timeout: float | None, grace: float, fail_on: float | None
    ) -> None:
        check_seconds(timeout, "as_completed's timeout")
        check_seconds(grace, "as_completed's grace")
        self._calls = calls
        self._limit = check_limit(limit, "as_completed")
        self._timeout = timeout
        self._grace = grace
        self._most = failures_allowed(fail_on, (calls,), "as_completed")
        self._fail_on = fail_on
        self._reader: _Reader | None = None
        self._closed = False

    def __aiter__(self) -> Completed[T]:
        return self

    async def __aenter__(self) -> Completed[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what runs, and wait at most ``grace`` for its end."""
        self._closed = True
        if self._reader is not None:
            await self._reader.close()

    async def __anext__(self) -> Outcome[T]:
        """Return the next outcome.

        Raises:
          StopAsyncIteration: every call has ended, or the block was left.
          TooManyFailures: ``fail_on`` was reached; ``.settled`` holds the failures, everything else was cancelled.
          the input's own error, when reading it failed; everything else was cancelled.
        """
        if self._closed:
            raise StopAsyncIteration
        if self._reader is None:
            self._reader = _Reader(self._calls, self._limit, self._timeout, self._grace, self._most)
        outcome = await self._reader.next(self._fail_on)
        if outcome is None:
            raise StopAsyncIteration
        return outcome

    def __del__(self) -> None:
        if self._reader is not None:
            self._reader.drop()


class _Reader:
    """What runs behind a ``Completed``; apart from it, so that dropping that one can be noticed."""

    def __init__(
        self, calls: Any, limit: int | None, timeout: float | None, grace: float, most: int | None
    ) -> None:
        self.ready: deque[Outcome[Any]] = deque()
        self.failures: list[Failed | TimedOut] = []
        self.timeout = timeout
        self.most = most
        self.expired = False
        self.news: asyncio.Future[None] | None = None
        self.fanout = FanOut("as_completed", calls, limit, self._keep, grace)
        self.sized = isinstance(calls, Sized)
        if limit is not None:
            self.fanout.room = lambda: len(self.ready) + len(self.fanout.running) < limit
        self.timer: Timer | None = None
        if timeout is not None:
            loop = self.fanout.loop
            self.timer = timers_of(loop).at(loop.time() + timeout, _Reader._expire, self)

    def _keep(self, _index: int, outcome: Outcome[Any]) -> None:
        if self.expired and isinstance(outcome, Cancelled) and outcome.reason == "deadline" and outcome.call is not None:
            assert self.timeout is not None
            outcome = late(outcome.call, self.timeout, "as_completed", outcome.work)
        self.ready.append(outcome)
        if self.most is not None and isinstance(outcome, (Failed, TimedOut)):
            self.failures.append(outcome)
            if len(self.failures) >= self.most:
                self.fanout.stop("sibling")
        self._tell()

    def _tell(self) -> None:
        if self.news is not None and not self.news.done():
            self.news.set_result(None)

    def _expire(self) -> None:
        self.expired = True
        self.fanout.stop("deadline")
        self._tell()

    async def next(self, fail_on: float | None) -> Outcome[Any] | None:
        """Return the next outcome; None at the end."""
        fanout = self.fanout
        while True:
            if fanout.error is not None or self._too_many():
                await self.close()
                self._raise(fail_on)
            if self.ready:
                outcome = self.ready.popleft()
                fanout.fill()
                return outcome
            fanout.fill()
            if fanout.over:
                return await self._after_the_end()
            if fanout.stopping is not None:
                await fanout.see_end()
                continue
            self.news = fanout.loop.create_future()
            fanout.on_over(self._tell)
            try:
                await self.news
            finally:
                self.news = None

    def _too_many(self) -> bool:
        return self.most is not None and len(self.failures) >= self.most

    def _raise(self, fail_on: float | None) -> None:
        if self.fanout.error is not None:
            raise self.fanout.error
        raise TooManyFailures(
            f"{len(self.failures)} calls failed, which fail_on={fail_on} does not allow; "
            f"the first: {self.failures[0].error!r}",
            settled=Settled(self.failures),
        ) from self.failures[0].error

    async def _after_the_end(self) -> Outcome[Any] | None:
        """Of an input with a known length, also what never began is an item with an outcome."""
        if self.timer is not None:
            self.timer.cancel()
        if not self.sized or self.fanout.exhausted:
            return None
        for call in await self.fanout.rest():
            if self.expired:
                assert self.timeout is not None
                self.ready.append(late(call, self.timeout, "as_completed", "not started"))
            else:
                self.ready.append(Cancelled("shutdown", call, work="not started"))
        return self.ready.popleft() if self.ready else None

    async def close(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.fanout.stop("caller")
        await self.fanout.see_end()

    def drop(self) -> None:
        """The reader is gone, from whatever thread: cancel what runs and leave it to the supervisor."""
        fanout = self.fanout
        if not fanout.over and not fanout.loop.is_closed():
            try:
                fanout.loop.call_soon_threadsafe(self._cancel_dropped)
            except RuntimeError:  # closed in between
                return

    def _cancel_dropped(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.fanout.stop("caller")
        for running in list(self.fanout.running.values()):
            if running.task is not None:
                supervisor_of(self.fanout.loop).adopt(running.task, repr(running.call), "caller", self.fanout.grace)


def as_completed(
    calls: Many[T],
    /,
    *,
    limit: int | None = WINDOW,
    timeout: float | None = None,
    grace: float = GRACE,
    fail_on: float | None = None,
) -> Completed[T]:
    """Run *calls* and hand out their outcomes as they end; the input may be lazy, asynchronous and endless.

    Read it like this, so that leaving the block cancels and awaits what still runs::

        async with as_completed(reader(url) for url in urls) as outcomes:
            async for outcome in outcomes:
                print(outcome.call.index, outcome)

    Args:
      calls: one iterable of calls or coroutines.
      limit: most calls under way or ended and not yet read, 1,000 unless given; a slow reader slows the calls down.
        ``None`` for no bound, which needs an input that ends.
      timeout: seconds for the whole fan-out, from the first read. What has not ended then is ``TimedOut``; what is
        still in a lazy input is not read any more.
      grace: seconds cancelled calls have for their clean-up.
      fail_on: as for ``settle``; the error's ``.settled`` holds the failures.

    Returns:
      An asynchronous iterator of outcomes; ``outcome.call.index`` is the place in the input. A bare ``async for`` over
      it works too: left early, the rest is cancelled when the iterator is dropped, and seen to its end by the loop's
      supervisor.
    """
    return Completed(calls, limit, timeout, grace, fail_on)
