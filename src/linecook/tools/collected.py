"""A fan-out whose outcomes are kept, in input order: what ``gather``, ``settle`` and ``first`` have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sized
from contextlib import suppress
from typing import Any, TypeVar

from .._core.callframe import CallFrame, call_from
from .._core.deadline import check_seconds
from .._core.endings import reason_of
from .._core.errors import UsageError
from .._core.outcome import Cancelled, Failed, Ok, Outcome, TimedOut
from .._core.timers import timers_of
from .fanout import FanOut, check_limit, late
from .inputs import discard_all

WINDOW = 1000
GRACE = 0.5
FIRST_GRACE = 0.05


class Unset:
    """The ``limit=`` that nobody gave; it shows as the window that is used then."""

    def __repr__(self) -> str:
        return str(WINDOW)


unset: Any = Unset()


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
        self.fanout = FanOut(name, source, bound, self.keep, grace)

    def keep(self, index: int, outcome: Outcome[Any]) -> None:
        """Keep the outcome of item *index*; they come in the order in which calls end."""
        if not isinstance(outcome, Ok):
            outcome = self.look_at(outcome)
        outcomes = self.outcomes
        if index == len(outcomes):
            outcomes.append(outcome)
            return
        while len(outcomes) <= index:
            outcomes.append(None)
        outcomes[index] = outcome

    def look_at(self, outcome: Failed | TimedOut | Cancelled) -> Failed | TimedOut | Cancelled:
        """Return what to keep for an item without a value, and note failures."""
        if isinstance(outcome, Cancelled):
            if not self.expired or outcome.reason != "deadline" or outcome.call is None:
                return outcome
            assert self.timeout is not None
            outcome = late(outcome.call, self.timeout, self.name, outcome.work)
        self.failures.append(outcome)
        self.on_failure(outcome)
        return outcome

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
        try:
            fanout.fill()
            await fanout.wait_over()
            if fanout.stopping is not None:
                await fanout.see_end()
        except asyncio.CancelledError as error:
            fanout.stop(reason_of(error))
            with suppress(asyncio.CancelledError):  # the same request, or one more
                await fanout.see_end()
            raise
        except BaseException:  # closed in the middle: nobody is left to wait
            abandon(fanout)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if fanout.error is not None:
            raise fanout.error

    def _expire(self) -> None:
        if self.fanout.over or self.fanout.stopping is not None:
            return  # it has ended, or is being ended for another reason, which came first
        self.expired = True
        self.fanout.stop("deadline")

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
        reason = self.fanout.stopping or ("shutdown" if self.fanout.draining else "sibling")
        return Cancelled(reason, call, work="not started")


M = TypeVar("M", bound=Collected)


def made(calls: tuple[Any, ...], make: Callable[[], M]) -> M:
    """Return ``make()``; when that refuses what it is given, the calls are given up, so that one error is reported."""
    try:
        return make()
    except BaseException:
        discard_all(calls)
        raise


def is_iterable_form(calls: tuple[Any, ...]) -> bool:
    return len(calls) == 1 and not isinstance(calls[0], Coroutine)


def abandon(fanout: FanOut) -> None:
    """End *fanout* when nobody can wait for it: ask what runs to end, and leave it to the loop's supervisor."""
    if not fanout.over and fanout.loop.is_running():
        fanout.stop("caller")
        fanout.leave()


def _source_of(name: str, inputs: tuple[Any, ...], limit: Any) -> tuple[Any, int | None]:
    """Tell one iterable, for which there is a window, from calls given one by one, which all start at once.

    The latter are looked at before any begins.
    """
    if is_iterable_form(inputs):
        return inputs[0], check_limit(WINDOW if limit is unset else limit, name)
    if limit is not unset:
        raise UsageError(f"limit= of {name} goes with one iterable; calls given one by one all start at once")
    for place, call in enumerate(inputs):
        if not isinstance(call, Coroutine):
            try:
                call_from(call)
            except UsageError as error:
                error.add_note(f"this is argument {place} of {name}")
                raise
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
