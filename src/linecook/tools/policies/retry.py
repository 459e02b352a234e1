"""When a failed attempt is made again, how long it waits before, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..._core.account import account_of
from ..._core.deadline import check_seconds, remaining
from ..._core.errors import CallCancelled, UsageError
from ..._runtime import current
from .limit import Limit
from .signals import retry_after
from .states import in_order, state_of

if TYPE_CHECKING:
    from ..call import Call
    from ..placement import Runner

_WHY_NOT = "not tried again"
_BEFORE = "earlier attempts: "
_SHOWN = 5

On = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


@dataclass(frozen=True, slots=True)
class Retry:
    """Which failures are worth another attempt, and how many.

    Args:
      on: an exception type, a tuple of them, or a function that says yes or no. There is no default: what may be
        repeated is yours to know. ``TimedOutError`` stands for an attempt that ran into its ``attempt_timeout``.
      attempts: most attempts, the first one included, ≥ 1.
      timeout: seconds for all attempts and waits together: no attempt begins later than that. One under way isn't
        interrupted; the tool's ``attempt_timeout`` and ``timeout`` do that. None for no bound but those.
      wait: seconds before the second attempt; doubled for each further one.
      max_wait: most seconds between two attempts.
      jitter: whether waits are drawn at random between half and the whole, so that callers don't come back all at once.

    A failure that says when to come back (``retry_after``, or a ``Retry-After`` header on the error or its response)
    is obeyed even beyond ``max_wait``; when that is later than the time left, the failure is raised at once. Under a
    ``Limit`` an attempt is admitted like a call, ahead of those that have not begun, and the limit's ``retries`` bounds
    how many there may be. Defaults after stamina's, whose documentation argues them.
    """

    on: On
    attempts: int = 3
    timeout: float | None = 60.0
    wait: float = 0.1
    max_wait: float = 10.0
    jitter: bool = True

    def __post_init__(self) -> None:
        on: Any = self.on
        kinds: tuple[Any, ...] = (*on,) if isinstance(on, tuple) else (on,)  # pyright: ignore[reportUnknownVariableType]
        are_types = kinds and all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds)
        if not are_types and (isinstance(on, (tuple, type)) or not callable(on)):
            raise UsageError(f"Retry's on must be exception types or a function, not {on!r}")
        if isinstance(self.attempts, bool) or not isinstance(self.attempts, int) or self.attempts < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"Retry's attempts must be a whole number of 1 or more, not {self.attempts!r}")
        for name in ("timeout", "wait", "max_wait"):
            check_seconds(getattr(self, name), f"Retry's {name}")
            if name != "timeout" and getattr(self, name) is None:
                raise ValueError(f"Retry's {name} must be a number of seconds, not None")

    def wants(self, error: BaseException) -> bool:
        """Say whether *error* is worth another attempt. Errors in the program's text and cancellations never are."""
        if isinstance(error, (UsageError, CallCancelled, asyncio.CancelledError)):
            return False
        on: Any = self.on
        return isinstance(error, on) if isinstance(on, (type, tuple)) else bool(on(error))

    def delay(self, attempt: int, error: BaseException) -> float:
        """Return the seconds to wait after *attempt* (from 1) failed with *error*."""
        told = retry_after(error)
        if told is not None:
            return told
        import random  # loaded by the first failure and not by `import linecook`

        longest = min(self.max_wait, self.wait * 2.0 ** min(attempt - 1, 62))
        return longest * random.uniform(0.5, 1.0) if self.jitter else longest


def retried(run: Runner, retry: Retry, limits: Limit | Sequence[Limit] | None = None) -> Runner:
    """Return *run*, made again while *retry* wants it, time allows, and the retry budget of each of *limits* does.

    Each attempt is admitted by the limits, ahead of calls that were not let in yet. The whole history is noted on the
    failure that is raised in the end.
    """
    several = in_order(limits)

    async def run_retried(call: Call[Any]) -> Any:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for limit in several:
            state_of(limit, current()).budget.earn()
        history: list[str] = []
        while True:
            try:
                return await run(call)
            except BaseException as error:
                attempt = len(history) + 1
                if attempt >= retry.attempts or not retry.wants(error):
                    _note_history(error, history)
                    raise
                delay = retry.delay(attempt, error)
                why_not = _why_not(delay, retry, loop.time() - began) or _unpaid(call) or _overdrawn(several, error)
                _note_history(error, history, why_not)
                if why_not:
                    raise
                history.append(f"{type(error).__name__}, then {delay:.3g} s")
                _tell(call, attempt, delay, error)
            before = loop.time()
            try:
                await asyncio.sleep(delay)
            finally:
                call.queued += loop.time() - before

    return run_retried


def _note_history(error: BaseException, history: list[str], why_not: str = "") -> None:
    """Note on *error* what came before it, and why it isn't tried again: one object may fail many calls."""
    notes: list[str] = getattr(error, "__notes__", [])
    notes[:] = [note for note in notes if not note.startswith((_WHY_NOT, _BEFORE))]
    if history:
        left_out = len(history) - _SHOWN
        shown = [f"{left_out} more", *history[-_SHOWN:]] if left_out > 0 else history
        error.add_note(f"{_BEFORE}{'; '.join(shown)}")
    if why_not:
        error.add_note(f"{_WHY_NOT}: {why_not}")


def _why_not(delay: float, retry: Retry, spent: float) -> str:
    """Return why there is no time for another attempt; empty when there is."""
    left = remaining()
    if (left is None or delay < left) and (retry.timeout is None or spent + delay < retry.timeout):
        return ""
    return f"the next attempt would begin in {delay:.3g} s, which is too late"


def _unpaid(call: Call[Any]) -> str:
    """Return which budget around *call* is used up; empty when none is."""
    account = account_of(call)
    return "" if account is None else account.overdrawn()


def _overdrawn(limits: list[Limit], error: BaseException) -> str:
    """Return which limit has no retry left for this failure; empty when all have. Who was told when to come back may.

    The server that says when has made room for it; what the others cost comes on top of what it is sent anyway.
    """
    if not limits or retry_after(error) is not None:
        return ""
    now, runtime = asyncio.get_running_loop().time(), current()
    budgets = [(limit, state_of(limit, runtime).budget) for limit in limits]
    for limit, budget in budgets:  # all of them are asked before one is spent
        if not budget.has_one(now):
            return (
                f"retries of {limit!r} have used up their budget of {limit.retries:.0%} of its calls (retries=): so "
                "many fail that more load would not help"
            )
    for _, budget in budgets:
        budget.spend()
    return ""


def _tell(call: Call[Any], attempt: int, delay: float, error: BaseException) -> None:
    events = current().events
    if events.heard:
        events.emit("call.retrying", call, attempt=attempt, delay=delay, error=error)
