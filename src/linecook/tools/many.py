"""Many calls at once: ``gather`` (all or the first failure), ``settle`` (every outcome), ``first`` (the first success).

See ``completed.py`` for ``as_completed``, which reads an endless input in bounded memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Coroutine, Iterable, Sized
from typing import Any, TypeVar, overload

from .._core.callframe import CallFrame
from .._core.deadline import check_seconds
from .._core.errors import Interrupted, TimedOutError, TooManyFailures, UsageError
from .._core.outcome import Cancelled, Failed, Ok, Outcome, Settled, TimedOut
from .._core.timers import timers_of
from .fanout import FanOut, check_limit, late

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")

Awaited = Coroutine[Any, Any, T]
Many = Iterable[Coroutine[Any, Any, T]] | AsyncIterable[Coroutine[Any, Any, T]]

WINDOW = 1000
GRACE = 0.5
FIRST_GRACE = 0.05


class _Unset:
    def __repr__(self) -> str:
        return str(WINDOW)


_unset: Any = _Unset()


class Collected:
    """A fan-out whose outcomes are kept, in input order, for ``gather`` and ``settle``."""

    def __init__(self, name: str, inputs: tuple[Any, ...], limit: Any, timeout: float | None, grace: float) -> None:
        check_seconds(timeout, f"{name}'s timeout")
        check_seconds(grace, f"{name}'s grace")
        source, bound = _source_of(name, inputs, limit)
        self.name = name
        self.timeout = timeout
        self.outcomes: list[Outcome[Any] | None] = []
        self.failures: list[Failed | TimedOut] = []
        self.expired = False
        self.fanout = FanOut(name, source, bound, self._keep, grace)

    def _keep(self, index: int, outcome: Outcome[Any]) -> None:
        outcomes = self.outcomes
        while len(outcomes) <= index:
            outcomes.append(None)
        if type(outcome) is Ok:
            outcomes[index] = outcome
            return
        if self.expired and isinstance(outcome, Cancelled) and outcome.reason == "deadline" and outcome.call is not None:
            assert self.timeout is not None
            outcome = late(outcome.call, self.timeout, self.name, outcome.work)
        outcomes[index] = outcome
        if isinstance(outcome, (Failed, TimedOut)):
            self.failures.append(outcome)
            self.on_failure(outcome)

    def on_failure(self, outcome: Failed | TimedOut) -> None:
        """Decide what a failure means for the others; called in the step in which it happens."""

    async def run(self) -> None:
        """Run everything; afterwards ``outcomes`` holds one for each item that began.

        Raises:
          CancelledError: the caller was cancelled; the calls were cancelled and seen to their end first.
          the input's own error, when reading it failed.
        """
        fanout = self.fanout
        timer = None
        if self.timeout is not None:
            timer = timers_of(fanout.loop).at(fanout.loop.time() + self.timeout, Collected._expire, self)
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        try:
            fanout.fill()
            await fanout.wait_over()
        except asyncio.CancelledError as error:
            fanout.stop(str(error.args[0]).partition(":")[0] if error.args else "caller")
            await fanout.see_end()
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if fanout.stopping is not None:
            await fanout.see_end()
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError("caller")  # it came while the last ones were seen to their end
        if fanout.error is not None:
            raise fanout.error

    def _expire(self) -> None:
        self.expired = True
        self.fanout.stop("deadline")
        self.fanout.wake()

    async def add_rest(self) -> int:
        """Give what never began an outcome too; return how many those were."""
        rest = await self.fanout.rest()
        self.outcomes += [self._never_began(call) for call in rest]
        for index, outcome in enumerate(self.outcomes):
            assert outcome is not None, f"item {index} has no outcome"
        return len(rest)

    def _never_began(self, call: CallFrame) -> Outcome[Any]:
        if self.expired:
            assert self.timeout is not None
            return late(call, self.timeout, self.name, "not started")
        reason = "shutdown" if self.fanout.draining else self.fanout.stopping or "sibling"
        return Cancelled(reason, call, work="not started")


class _Gathered(Collected):
    def on_failure(self, outcome: Failed | TimedOut) -> None:
        self.fanout.stop("sibling")
        self.fanout.wake()


class _Settled(Collected):
    def __init__(self, inputs: tuple[Any, ...], limit: Any, timeout: float | None, grace: float, fail_on: Any) -> None:
        self.most = failures_allowed(fail_on, inputs, "settle")
        self.too_many = False
        super().__init__("settle", inputs, limit, timeout, grace)

    def on_failure(self, outcome: Failed | TimedOut) -> None:
        if self.most is not None and len(self.failures) >= self.most and not self.expired:
            self.too_many = True
            self.fanout.stop("sibling")
            self.fanout.wake()


class _First(Collected):
    def __init__(self, inputs: tuple[Any, ...], timeout: float | None, grace: float) -> None:
        self.won = False
        super().__init__("first", inputs, None if len(inputs) == 1 else _unset, timeout, grace)

    def _keep(self, index: int, outcome: Outcome[Any]) -> None:
        super()._keep(index, outcome)
        if isinstance(outcome, Ok) and not self.won:
            self.won = True
            # In the next turn, so that among those that succeed in this one the lowest index wins.
            self.fanout.loop.call_soon(self._stop)

    def _stop(self) -> None:
        self.fanout.stop("sibling")
        self.fanout.wake()


def _source_of(name: str, inputs: tuple[Any, ...], limit: Any) -> tuple[Any, int | None]:
    """Tell one iterable, for which there is a window, from calls given one by one, which all start at once."""
    if len(inputs) == 1 and not isinstance(inputs[0], Coroutine):
        return inputs[0], check_limit(WINDOW if limit is _unset else limit, name)
    if limit is not _unset:
        for call in inputs:
            call.close()
        raise UsageError(f"limit= of {name} goes with one iterable; calls given one by one all start at once")
    return list(inputs), None


def failures_allowed(fail_on: Any, inputs: tuple[Any, ...], name: str) -> int | None:
    """Return how many failures are one too many; None for any number.

    Raises:
      UsageError, ValueError: no count and no fraction, or a fraction of a length that isn't known.
    """
    if fail_on is None:
        return None
    if isinstance(fail_on, bool) or not isinstance(fail_on, (int, float)):
        raise UsageError(f"fail_on= of {name} must be a count or a fraction between 0 and 1, not {fail_on!r}")
    if isinstance(fail_on, int):
        if fail_on < 1:
            raise ValueError(f"fail_on= of {name} must be 1 or more failures, not {fail_on}")
        return fail_on
    if not 0 < fail_on <= 1:
        raise ValueError(f"fail_on= of {name} must be a fraction above 0 and at most 1, not {fail_on!r}")
    return max(1, -int(-fail_on * _length(inputs, name) // 1))


def _length(inputs: tuple[Any, ...], name: str) -> int:
    if len(inputs) == 1 and not isinstance(inputs[0], Coroutine):
        if not isinstance(inputs[0], Sized):
            raise UsageError(f"fail_on= of {name} is a fraction, and the length of the input isn't known: give a count")
        return len(inputs[0])
    return len(inputs)


@overload
async def gather(call: Awaited[T1], /, *, timeout: float | None = None, grace: float = GRACE) -> tuple[T1]: ...
@overload
async def gather(
    a: Awaited[T1], b: Awaited[T2], /, *, timeout: float | None = None, grace: float = GRACE
) -> tuple[T1, T2]: ...
@overload
async def gather(
    a: Awaited[T1], b: Awaited[T2], c: Awaited[T3], /, *, timeout: float | None = None, grace: float = GRACE
) -> tuple[T1, T2, T3]: ...
@overload
async def gather(
    a: Awaited[T1], b: Awaited[T2], c: Awaited[T3], d: Awaited[T4], /,
    *, timeout: float | None = None, grace: float = GRACE,
) -> tuple[T1, T2, T3, T4]: ...  # fmt: skip
@overload
async def gather(
    a: Awaited[T1], b: Awaited[T2], c: Awaited[T3], d: Awaited[T4], e: Awaited[T5], /,
    *, timeout: float | None = None, grace: float = GRACE,
) -> tuple[T1, T2, T3, T4, T5]: ...  # fmt: skip
@overload
async def gather(
    calls: Many[T], /, *, limit: int | None = ..., timeout: float | None = None, grace: float = GRACE
) -> list[T]: ...
@overload
async def gather(*calls: Awaited[T], timeout: float | None = None, grace: float = GRACE) -> tuple[T, ...]: ...
async def gather(*calls: Any, limit: Any = _unset, timeout: float | None = None, grace: float = GRACE) -> Any:
    """Run *calls* together and return their results in input order; the first failure ends the others and is raised.

    Args:
      calls: one iterable of calls (also lazy, also asynchronous), or calls one by one. Plain coroutines do too.
      limit: with one iterable, most calls in flight, 1,000 unless given; ``None`` for no bound. Items are pulled from
        the input as places become free.
      timeout: seconds for the whole fan-out; ``None`` for no limit, ``0`` for what never waits.
      grace: seconds the others have for their clean-up when one fails.

    Returns:
      A list for one iterable; a tuple, typed one by one, for calls. Empty input: an empty list (or tuple).

    Raises:
      the first failure itself, the others noted on it, once the siblings are cancelled and seen to their end (≤ grace).
      TimedOutError: the fan-out's own ``timeout`` passed.
      Interrupted: the runtime shut down before every item had begun; those under way were finished.
      UsageError: no call and no iterable of calls, or ``limit=`` with calls one by one.

    Cancelling the caller cancels every call and waits at most ``grace``. What still runs after a grace passes to the
    loop's supervisor and is reported. Unlike ``asyncio.gather``, a failure leaves no sibling running.
    """
    if not calls:
        return ()
    many = _Gathered("gather", calls, limit, timeout, grace)
    await many.run()
    if many.failures or many.expired:
        _raise_first(many)
    if many.fanout.draining and not many.fanout.exhausted:
        rest = await many.add_rest()
        if rest:
            raise Interrupted(f"{rest} of {len(many.outcomes)} calls of gather had not begun when the program was stopped")
    results = [_value_of(outcome) for outcome in many.outcomes]
    return results if _is_iterable_form(calls) else tuple(results)


def _raise_first(many: Collected) -> None:
    errors: list[BaseException] = [failure.error for failure in many.failures]
    if many.expired:
        assert many.timeout is not None
        work = "abandoned" if any(failure.work == "abandoned" for failure in many.failures) else "stopped"
        errors.insert(0, TimedOutError(
            f"gather(timeout={many.timeout:g}) passed: {len(errors)} calls under way had not ended",
            after=many.timeout, whose="timeout of gather", work=work,
        ))  # fmt: skip
    first, *others = errors
    for other in others[:10]:
        first.add_note(f"another call of the same gather failed as well: {other!r}")
    try:
        raise first
    finally:
        del first, others, errors, many


def _value_of(outcome: Outcome[Any] | None) -> Any:
    if isinstance(outcome, Ok):
        return outcome.value
    assert outcome is not None
    raise outcome.error


@overload
async def settle(call: Awaited[T1], /, *, timeout: float | None = None) -> tuple[Outcome[T1]]: ...
@overload
async def settle(
    a: Awaited[T1], b: Awaited[T2], /, *, timeout: float | None = None, grace: float = GRACE,
    fail_on: float | None = None,
) -> tuple[Outcome[T1], Outcome[T2]]: ...  # fmt: skip
@overload
async def settle(
    a: Awaited[T1], b: Awaited[T2], c: Awaited[T3], /, *, timeout: float | None = None, grace: float = GRACE,
    fail_on: float | None = None,
) -> tuple[Outcome[T1], Outcome[T2], Outcome[T3]]: ...  # fmt: skip
@overload
async def settle(
    a: Awaited[T1], b: Awaited[T2], c: Awaited[T3], d: Awaited[T4], /, *, timeout: float | None = None,
    grace: float = GRACE, fail_on: float | None = None,
) -> tuple[Outcome[T1], Outcome[T2], Outcome[T3], Outcome[T4]]: ...  # fmt: skip
@overload
async def settle(
    calls: Many[T], /, *, limit: int | None = ..., timeout: float | None = None, grace: float = GRACE,
    fail_on: float | None = None,
) -> Settled[T]: ...  # fmt: skip
@overload
async def settle(
    *calls: Awaited[T], timeout: float | None = None, grace: float = GRACE, fail_on: float | None = None
) -> tuple[Outcome[T], ...]: ...
async def settle(
    *calls: Any, limit: Any = _unset, timeout: float | None = None, grace: float = GRACE, fail_on: float | None = None
) -> Any:
    """Run *calls* together and report how each one ended, in input order.

    Think of a kitchen pass: every ticket comes back, some with a plate, some with a reason.

    Args:
      calls, limit, grace: as for ``gather``.
      timeout: seconds for the whole fan-out. What has not ended then is ``TimedOut``, with ``work`` saying whether it
        was stopped, abandoned or never started.
      fail_on: stop everything when so many calls have failed or timed out: a count (1 or more), or a fraction
        (0 < x ≤ 1) of an input whose length is known. ``None``: never.

    Returns:
      ``Settled`` for one iterable; for calls one by one a tuple of outcomes, typed one by one.

    Raises:
      TooManyFailures: ``fail_on`` was reached; ``.settled`` holds every outcome.
      CancelledError: the caller was cancelled; the calls were cancelled and seen to their end (≤ grace) first.
      UsageError: no call and no iterable of calls, or ``limit=`` with calls one by one.

    Nothing that a call raises comes out of here. The input must have an end; ``as_completed`` needs none.
    """
    if not calls:
        return ()
    many = _Settled(calls, limit, timeout, grace, fail_on)
    await many.run()
    await many.add_rest()
    outcomes: list[Any] = many.outcomes
    if many.too_many:
        raise TooManyFailures(
            f"{len(many.failures)} of {len(outcomes)} calls failed, which fail_on={fail_on} does not allow; "
            f"the first: {many.failures[0].error!r}",
            settled=Settled(outcomes),
        ) from many.failures[0].error
    return Settled(outcomes) if _is_iterable_form(calls) else tuple(outcomes)


def _is_iterable_form(calls: tuple[Any, ...]) -> bool:
    return len(calls) == 1 and not isinstance(calls[0], Coroutine)


@overload
async def first(calls: Many[T], /, *, timeout: float | None = None, grace: float = FIRST_GRACE) -> T: ...
@overload
async def first(*calls: Awaited[T], timeout: float | None = None, grace: float = FIRST_GRACE) -> T: ...
async def first(*calls: Any, timeout: float | None = None, grace: float = FIRST_GRACE) -> Any:
    """Run *calls* together, return the first success and cancel the rest.

    Args:
      calls: one iterable of calls, or calls one by one; all start at once.
      timeout: seconds until the race is given up; ``None`` for no limit.
      grace: seconds the losers have for their clean-up before this returns; one that still runs passes to the loop's
        supervisor and is reported.

    Returns:
      The value of the call that succeeded first; of several in the same turn, the one that stands first in the input.

    Raises:
      ExceptionGroup: every call failed; the errors in input order.
      TimedOutError: ``timeout`` passed first.
      UsageError: there is no call to run.
    """
    many = _First(calls, timeout, grace)
    await many.run()
    for outcome in many.outcomes:
        if isinstance(outcome, Ok):
            return outcome.value
    if not many.outcomes:
        raise UsageError("first needs at least one call")
    if many.expired:
        raise TimedOutError(
            f"first(timeout={timeout:g}) passed before any of {len(many.outcomes)} calls succeeded",
            after=timeout or 0.0, whose="timeout of first",
        )  # fmt: skip
    errors = [outcome.error for outcome in many.outcomes if outcome is not None and not isinstance(outcome, Ok)]
    raise BaseExceptionGroup(f"all {len(errors)} calls failed", errors)
