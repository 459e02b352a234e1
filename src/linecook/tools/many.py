"""Many calls at once: ``gather`` (all or the first failure), ``settle`` (every outcome), ``first`` (the first success).

See ``completed.py`` for ``as_completed``, which reads an endless input in bounded memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Coroutine, Iterable
from typing import Any, TypeVar, overload

from .._core.callframe import shown
from .._core.errors import Interrupted, TimedOutError, TooManyFailures, UsageError, Work
from .._core.outcome import Cancelled, Failed, Ok, Outcome, Settled, TimedOut
from .collected import FIRST_GRACE, GRACE, Collected, failures_allowed, is_iterable_form, made, unset

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")

Awaited = Coroutine[Any, Any, T]
Many = Iterable[Coroutine[Any, Any, T]] | AsyncIterable[Coroutine[Any, Any, T]]


class _Gathered(Collected):
    def __init__(self, inputs: tuple[Any, ...], limit: Any, timeout: float | None, grace: float) -> None:
        self.cancelled: Cancelled | None = None
        super().__init__("gather", inputs, limit, timeout, grace)

    def look_at(self, outcome: Failed | TimedOut | Cancelled) -> Failed | TimedOut | Cancelled:
        if isinstance(outcome, Cancelled) and self.fanout.stopping is None:  # by somebody else: no result will come
            self.cancelled = outcome
            self.fanout.stop("sibling")
        return super().look_at(outcome)

    def on_failure(self, outcome: Failed | TimedOut) -> None:
        self.fanout.stop("sibling")


class _Settled(Collected):
    def __init__(self, inputs: tuple[Any, ...], limit: Any, timeout: float | None, grace: float, fail_on: Any) -> None:
        self.most = failures_allowed(fail_on, inputs, "settle")
        self.too_many = False
        super().__init__("settle", inputs, limit, timeout, grace)

    def on_failure(self, outcome: Failed | TimedOut) -> None:
        if self.most is not None and len(self.failures) >= self.most and not self.expired:
            self.too_many = True
            self.fanout.stop("sibling")


class _First(Collected):
    def __init__(self, inputs: tuple[Any, ...], timeout: float | None, grace: float) -> None:
        self.winner: tuple[int, Any] | None = None
        self._decided = False
        super().__init__("first", inputs, unset, timeout, grace)

    def keep(self, index: int, outcome: Outcome[Any]) -> None:
        super().keep(index, outcome)
        if not isinstance(outcome, Ok) or self._decided:  # decided: a loser that answers its cancellation with a value
            return
        if self.winner is None:
            # In the next turn, so that among those that succeed in this one the lowest index wins.
            self.fanout.loop.call_soon(self._decide)
        if self.winner is None or index < self.winner[0]:
            self.winner = index, outcome.value
        self.fanout.feeding = False

    def _decide(self) -> None:
        self._decided = True
        self.fanout.stop("sibling")


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
async def gather(*calls: Any, limit: Any = unset, timeout: float | None = None, grace: float = GRACE) -> Any:
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
      CallCancelled: somebody cancelled the task of a call; its siblings were cancelled as well.
      TimedOutError: the fan-out's own ``timeout`` passed.
      Interrupted: the runtime shut down before every item had begun; those under way were finished.
      UsageError: no call and no iterable of calls, or ``limit=`` with calls one by one.

    Cancelling the caller cancels every call and waits at most ``grace``. What still runs after a grace passes to the
    loop's supervisor and is reported. Unlike ``asyncio.gather``, a failure leaves no sibling running.
    """
    if not calls:
        return ()
    many = made(calls, lambda: _Gathered(calls, limit, timeout, grace))
    try:
        await many.run()
        if many.failures or many.expired or many.cancelled:
            _raise_first(many)
        if many.fanout.draining:
            await _raise_interrupted(many)
    finally:
        many.fanout.release()
    results = [_value_of(outcome) for outcome in many.outcomes]
    return results if is_iterable_form(calls) else tuple(results)


def _raise_first(many: _Gathered) -> None:
    errors: list[BaseException] = [failure.error for failure in many.failures]
    if many.cancelled is not None:
        errors.insert(0, many.cancelled.error)
    if many.expired:
        assert many.timeout is not None
        work: Work = "abandoned" if any(failure.work == "abandoned" for failure in many.failures) else "stopped"
        errors.insert(0, TimedOutError(
            f"gather(timeout={many.timeout:g}) passed: {len(errors)} calls under way had not ended",
            after=many.timeout, whose="timeout of gather", work=work,
        ))  # fmt: skip
    many.failures, many.outcomes, many.cancelled = [], [], None  # gather's frame is on the error's traceback: a circle
    first, *others = errors
    for other in others[:10]:
        first.add_note(f"another call of the same gather failed as well: {other!r}")
    try:
        raise first
    finally:
        del first, others, errors, many


async def _raise_interrupted(many: Collected) -> None:
    """Raise ``Interrupted`` when not every item has begun before the runtime shut down."""
    fanout = many.fanout
    if fanout.is_async and not fanout.exhausted:
        raise Interrupted(f"the input of {many.name} had not been read to its end when the program was stopped")
    rest = await many.add_rest()
    if rest:
        told = f"{rest} of {len(many.outcomes)} calls of {many.name}"
        raise Interrupted(f"{told} had not begun when the program was stopped")


def _value_of(outcome: Outcome[Any] | None) -> Any:
    if isinstance(outcome, Ok):
        return outcome.value
    assert outcome is not None
    raise outcome.error


@overload
async def settle(
    call: Awaited[T1], /, *, timeout: float | None = None, grace: float = GRACE, fail_on: float | None = None
) -> tuple[Outcome[T1]]: ...
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
    *calls: Any, limit: Any = unset, timeout: float | None = None, grace: float = GRACE, fail_on: float | None = None
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
      BudgetExceeded: the input is longer than a ``budget(fan_out=...)`` around it allows; nothing began.
      RecursionError: it stands in 500 other fan-outs: an agent that fans out to itself without end.
      UsageError: no call and no iterable of calls, or ``limit=`` with calls one by one.

    Nothing that a call raises comes out of here; an error of the input itself does. The input must have an end, also
    after a time-out, since what never began has an outcome too; ``as_completed`` needs none. Of an asynchronous input
    nothing is read after the end: its outcomes are those of the items it had given.
    """
    if not calls:
        return ()
    many = made(calls, lambda: _Settled(calls, limit, timeout, grace, fail_on))
    try:
        await many.run()
        await many.add_rest()
    finally:
        many.fanout.release()
    outcomes: list[Any] = many.outcomes
    if many.too_many:
        raise TooManyFailures(
            f"{len(many.failures)} of {len(outcomes)} calls failed, which fail_on={fail_on} does not allow; "
            f"the first: {shown(many.failures[0].error)}",
            settled=Settled(outcomes),
        ) from many.failures[0].error
    return Settled(outcomes) if is_iterable_form(calls) else tuple(outcomes)


@overload
async def first(calls: Many[T], /, *, timeout: float | None = None, grace: float = FIRST_GRACE) -> T: ...
@overload
async def first(*calls: Awaited[T], timeout: float | None = None, grace: float = FIRST_GRACE) -> T: ...
async def first(*calls: Any, timeout: float | None = None, grace: float = FIRST_GRACE) -> Any:
    """Run *calls* together, return the first success and cancel the rest.

    Args:
      calls: calls one by one, which all start at once, or one iterable of calls, of which at most 1,000 run at once;
        a further one begins when one fails.
      timeout: seconds until the race is given up; ``None`` for no limit.
      grace: seconds the losers have for their clean-up before this returns; one that still runs passes to the loop's
        supervisor and is reported.

    Returns:
      The value of the call that succeeded first; of several in the same turn, the one that stands first in the input.

    Raises:
      ExceptionGroup: every call failed; the errors in input order.
      TimedOutError: ``timeout`` passed first.
      Interrupted: the runtime shut down before every call had begun, and none has succeeded.
      UsageError: there is no call to run.
    """
    many = made(calls, lambda: _First(calls, timeout, grace))
    try:
        await many.run()
        if many.winner is not None:
            return many.winner[1]
        if many.fanout.draining:
            await _raise_interrupted(many)
    finally:
        many.fanout.release()
    if many.expired:
        raise TimedOutError(
            f"first(timeout={timeout:g}) passed before any of {len(many.outcomes)} calls succeeded",
            after=timeout or 0.0, whose="timeout of first",
        )  # fmt: skip
    if not many.outcomes:
        raise UsageError("first needs at least one call")
    errors = [outcome.error for outcome in many.outcomes if outcome is not None and not isinstance(outcome, Ok)]
    raise BaseExceptionGroup(f"all {len(errors)} calls failed", errors)
