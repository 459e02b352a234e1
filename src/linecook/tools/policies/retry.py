"""When a failed attempt is made again, how long it waits before, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..._core.deadline import check_seconds, remaining
from ..._core.errors import CallCancelled, UsageError
from ..._runtime import current

if TYPE_CHECKING:
    from ..call import Call
    from ..placement import Runner

_WHY_NOT = "not tried again"

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
    is obeyed even beyond ``max_wait``; when that is later than the time left, the failure is raised at once.
    Defaults after stamina's, whose documentation argues them.
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
        import random  # like the date parser below, loaded by the first failure and not by `import linecook`

        longest = min(self.max_wait, self.wait * 2.0 ** min(attempt - 1, 62))
        return longest * random.uniform(0.5, 1.0) if self.jitter else longest


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that *error* asks to wait: ``retry_after``, or the HTTP header; None when it doesn't say."""
    told: Any = getattr(error, "retry_after", None)
    if told is None:
        for holder in (error, getattr(error, "response", None)):
            headers = getattr(holder, "headers", None)
            if headers is not None and hasattr(headers, "get"):
                told = headers.get("Retry-After") or headers.get("retry-after")
                if told is not None:
                    break
    return _seconds_from(told)


def _seconds_from(told: Any) -> float | None:
    if told is None or isinstance(told, bool):
        return None
    try:
        seconds = float(told)
    except (TypeError, ValueError):
        seconds = _seconds_until(str(told))
    return seconds if 0 <= seconds < float("inf") else None


def _seconds_until(date: str) -> float:
    import datetime
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.datetime.now(datetime.UTC)).total_seconds())
    except (TypeError, ValueError):  # not a date either, or one without a zone
        return -1.0


def retried(run: Runner, retry: Retry) -> Runner:
    """Return *run*, made again while *retry* wants it and time allows."""

    async def run_retried(call: Call[Any]) -> Any:
        loop = asyncio.get_running_loop()
        began = loop.time()
        attempt = 0
        while True:
            attempt += 1
            try:
                return await run(call)
            except BaseException as error:
                if attempt >= retry.attempts or not retry.wants(error):
                    raise
                delay = retry.delay(attempt, error)
                if not _fits(delay, retry, loop.time() - began):
                    _note_why_not(error, delay)
                    raise
                _tell(call, attempt, delay, error)
            before = loop.time()
            try:
                await asyncio.sleep(delay)
            finally:
                call.queued += loop.time() - before

    return run_retried


def _note_why_not(error: BaseException, delay: float) -> None:
    notes: list[str] = getattr(error, "__notes__", [])
    notes[:] = [note for note in notes if not note.startswith(_WHY_NOT)]  # one object may fail many calls
    error.add_note(f"{_WHY_NOT}: the next attempt would begin in {delay:.3g} s, which is too late")


def _fits(delay: float, retry: Retry, spent: float) -> bool:
    left = remaining()
    return (left is None or delay < left) and (retry.timeout is None or spent + delay < retry.timeout)


def _tell(call: Call[Any], attempt: int, delay: float, error: BaseException) -> None:
    events = current().events
    if events.heard:
        events.emit("call.retrying", call, attempt=attempt, delay=delay, error=error)
