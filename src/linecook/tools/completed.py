"""``as_completed``: outcomes as they come, over an input that may have no end, in the memory of the window."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._core.callframe import CallFrame, shown
from .._core.deadline import check_seconds
from .._core.errors import TooManyFailures, UsageError
from .._core.outcome import Cancelled, Failed, Ok, Outcome, Settled, TimedOut
from .._core.perloop import one_per_loop
from .._core.timers import Timer, timers_of
from .collected import GRACE, WINDOW, abandon, failures_allowed
from .fanout import FanOut, check_limit, late
from .inputs import discard_all
from .many import Many

if TYPE_CHECKING:
    from ..observe.voice import Voice

T = TypeVar("T")


class Completed(AsyncIterator[Outcome[T]], Generic[T]):
    """The outcomes of a fan-out in the order in which calls end; made by ``as_completed``. One task reads at a time."""

    _reader: _Reader | None = None
    _closed = False

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

    def __aiter__(self) -> Completed[T]:
        return self

    async def __aenter__(self) -> Completed[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what runs, and wait at most ``grace`` for its end; outcomes not yet read are dropped."""
        self._closed = True
        if self._reader is not None:
            await self._reader.close()
        else:
            discard_all((self._calls,))

    async def __anext__(self) -> Outcome[T]:
        """Return the next outcome.

        Raises:
          StopAsyncIteration: every call has ended, or the block was left.
          TooManyFailures: ``fail_on`` was reached; ``.settled`` holds the failures. Everything else was cancelled, and
            the outcomes that there are were handed out before.
          the input's own error, when reading it failed; likewise.
          UsageError: another task waits for the next outcome already.
        """
        if self._closed:
            raise StopAsyncIteration
        if self._reader is None:
            try:
                self._reader = _Reader(self._calls, self._limit, self._timeout, self._grace, self._most)
            except BaseException:
                discard_all((self._calls,))
                raise
        outcome = await self._reader.next(self._fail_on)
        if outcome is None:
            raise StopAsyncIteration
        return outcome

    def __del__(self) -> None:
        if self._reader is not None:
            self._reader.drop()


class _Reader:
    """What runs behind a ``Completed``; apart from it, so that dropping that one can be noticed."""

    def __init__(self, calls: Any, limit: int | None, timeout: float | None, grace: float, most: int | None) -> None:
        self.ready: deque[Outcome[Any]] = deque()
        self.failures: list[Failed | TimedOut] = []
        self.timeout = timeout
        self.most = most
        self.expired = False
        self.news: asyncio.Future[None] | None = None
        self.fanout = FanOut("as_completed", calls, limit, self._keep, grace)
        self.fanout.unread = self.ready
        self.fanout.on_over(self._tell)
        self.sized = isinstance(calls, Sized)
        self.timer: Timer | None = None
        if timeout is not None:
            loop = self.fanout.loop
            self.timer = timers_of(loop).at(loop.time() + timeout, _Reader._expire, self)

    def _keep(self, _index: int, outcome: Outcome[Any]) -> None:
        if not isinstance(outcome, Ok):
            outcome = self._look_at(outcome)
        self.ready.append(outcome)
        news = self.news
        if news is not None:
            self.news = None
            if not news.done():
                news.set_result(None)

    def _look_at(self, outcome: Failed | TimedOut | Cancelled) -> Failed | TimedOut | Cancelled:
        if isinstance(outcome, Cancelled):
            if not self.expired or outcome.reason != "deadline" or outcome.call is None:
                return outcome
            assert self.timeout is not None
            outcome = late(outcome.call, self.timeout, "as_completed", outcome.work)
        if self.most is not None and not self.expired:
            self.failures.append(outcome)
            if self._too_many():
                self.fanout.stop("sibling")
        return outcome

    def _tell(self) -> None:
        news, self.news = self.news, None
        if news is not None and not news.done():
            news.set_result(None)

    def _expire(self) -> None:
        if self.fanout.over or self.fanout.stopping is not None:
            return
        self.expired = True
        self.fanout.stop("deadline")
        self._tell()

    async def next(self, fail_on: float | None) -> Outcome[Any] | None:
        """Return the next outcome; None at the end."""
        fanout, ready = self.fanout, self.ready
        if self.news is not None:
            raise UsageError("two tasks read the same as_completed; give each an as_completed of its own, or a queue")
        while True:
            if ready:
                outcome = ready.popleft()
                if fanout.feeding:
                    fanout.fill()
                return outcome
            fanout.fill()
            if ready:  # a task factory with eager tasks
                continue
            if fanout.over:
                return await self._after_the_end(fail_on)
            if fanout.stopping is not None:
                await fanout.see_end()
                continue
            self.news = news = fanout.loop.create_future()
            try:
                await news
            finally:
                self.news = None

    def _too_many(self) -> bool:
        return self.most is not None and len(self.failures) >= self.most

    async def _after_the_end(self, fail_on: float | None) -> Outcome[Any] | None:
        """Of an input with a known length, also what never began is an item with an outcome."""
        fanout = self.fanout
        self._end_timer()
        if fanout.error is not None or self._too_many():
            fanout.release()
            self._raise(fail_on)
        if fanout.exhausted or not (self.sized or fanout.held):
            fanout.release()
            return None
        for call in await fanout.rest():
            if self.expired:
                assert self.timeout is not None
                self.ready.append(late(call, self.timeout, "as_completed", "not started"))
            else:
                self.ready.append(Cancelled("shutdown", call, work="not started"))
        return self.ready.popleft() if self.ready else None

    def _raise(self, fail_on: float | None) -> None:
        if self.fanout.error is not None:
            raise self.fanout.error
        raise TooManyFailures(
            f"{len(self.failures)} calls failed, which fail_on={fail_on} does not allow; "
            f"the first: {shown(self.failures[0].error)}",
            settled=Settled[Any](self.failures),
        ) from self.failures[0].error

    def _end_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    async def close(self) -> None:
        self._end_timer()
        self.fanout.stop("caller")
        try:
            await self.fanout.see_end()
        finally:
            self.fanout.release()
            self.ready.clear()

    def drop(self) -> None:
        """The reader is gone, from whatever thread: cancel what runs and leave it to the supervisor."""
        fanout = self.fanout
        if not fanout.over and not fanout.loop.is_closed():
            try:
                fanout.loop.call_soon_threadsafe(self._cancel_dropped)
            except RuntimeError:  # closed in between
                return

    def _cancel_dropped(self) -> None:
        fanout = self.fanout
        self._end_timer()
        if fanout.running:
            cure = "Leave it through 'async with as_completed(...) as outcomes', which also awaits them."
            tell_left("as_completed", cure, list(fanout.running), fanout.loop)
        abandon(fanout)
        fanout.release()


def tell_left(what: str, cure: str, running: Sequence[CallFrame], loop: asyncio.AbstractEventLoop) -> None:
    """Say that *what* was left with *running* under way, and the *cure*; for one function once a second at most."""
    voice = one_per_loop(loop, _new_voice)
    voice.say((what, running[0].name), lambda: (
        f"{what} was left with {len(running)} calls under way, among them {running[0]!r}; they are cancelled. {cure}"
    ))  # fmt: skip
    timers_of(loop).at(loop.time() + 1.0, lambda _: voice.flush())


def _new_voice() -> Voice:
    from ..observe.voice import Voice  # only who leaves one pays for the import

    return Voice()


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
        still in a lazy input is not read any more, what stands in an input of known length is ``TimedOut`` too.
      grace: seconds cancelled calls have for their clean-up.
      fail_on: as for ``settle``; the error's ``.settled`` holds the failures.

    Returns:
      An asynchronous iterator of outcomes; ``outcome.call.index`` is the place in the input. A bare ``async for`` over
      it works too: left early, the rest is cancelled when the iterator is dropped, seen to its end by the loop's
      supervisor, and a notice says so.
    """
    try:
        return Completed(calls, limit, timeout, grace, fail_on)
    except BaseException:
        discard_all((calls,))
        raise
