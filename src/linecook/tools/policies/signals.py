"""What a failure says about the server it came from: too much load, in trouble, or nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ..._core.errors import LinecookError, TimedOutError

if TYPE_CHECKING:
    from ..call import Call
    from ..stream_frame import StreamFrame

Signal = Literal["ok", "overloaded", "late", "down", "nothing", "not begun"]
"""``ok``: it served. ``overloaded``: it refused, and wants less. ``late``: it was asked, and didn't answer in time; too
much load as well, but that may have cost all that was reserved. ``down``: it is in trouble, whatever the load.
``nothing``: the call failed by itself, or was cancelled. ``not begun``: it was let in, and never came to its body."""

OVERLOADED = (429, 503)
_STREAM_DEADLINE = "deadline"  # as whom the body of a stream is cancelled when its time is up
_DEEPEST = 5  # causes that are looked at
_OF_FILES = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
Overloaded = Callable[[BaseException], bool]


def signal_of(error: BaseException | None, overloaded: Overloaded | None = None) -> Signal:
    """Return what a call that ended with *error* (None: it returned) says of the server.

    Overloaded: status 429 or 503, and an error that says when to come back. Late: an attempt that ran into its
    time-out, the tool's or the client's own (``TimeoutError``, or what a client raises from one).
    Down: another 5xx, and what else the network raises (``OSError``, which ``ConnectionError`` is, or what a client
    raises from one; not those of files). Not begun: a time-out of ours that came before the body did.
    *overloaded* decides the first in place of this, and what is late then counts as down; an error it raises is the
    caller's to see.
    """
    if error is None:
        return "ok"
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "nothing"
    if overloaded is not None and overloaded(error):
        return "late" if _is_late(error) else "overloaded"
    status = status_of(error)
    if overloaded is None and (status in OVERLOADED or retry_after(error) is not None):
        return "overloaded"
    if status is not None:
        return "down" if status >= 500 else "ok"  # a 404 was served as well as a page
    if _is_late(error):
        return "late" if overloaded is None else "down"
    if isinstance(error, LinecookError):
        return "not begun" if isinstance(error, TimedOutError) and error.work == "not started" else "nothing"
    return "down" if _of_network(error) is not None else "nothing"


def signal_of_call(
    call: Call[Any] | StreamFrame, error: BaseException, attempts: int, overloaded: Overloaded | None = None
) -> Signal:
    """Return what *error* says of the server that *call* asked, if it did.

    Args:
      attempts: how many it had begun when it was let in; one more by now, or its body never began: another limit or a
        full lane refused it, or its time was up.

    The tool's own ``timeout`` arrives as a cancellation, and says something too when the body had most of that time: a
    call that mostly waited for its turn says nothing of the server. So does a stream's ``idle_timeout``.
    """
    if call.attempts == attempts:
        return "not begun"
    if isinstance(error, asyncio.CancelledError):
        words, asked = str(error), call.tool.asked
        whole = asked.timeout if words == _STREAM_DEADLINE or words.startswith("deadline: timeout of ") else None
        if whole and call.seconds_running() > whole / 2:
            return "late"
        if asked.idle_timeout is not None and words == _STREAM_DEADLINE:
            return "late"
    return signal_of(error, overloaded)


def _is_late(error: BaseException) -> bool:
    """Say whether the server was asked and didn't answer in time."""
    if isinstance(error, LinecookError):
        return isinstance(error, TimedOutError) and error.running > 0.0
    return isinstance(_of_network(error), TimeoutError)


def _of_network(error: BaseException | None) -> OSError | None:
    """Return what the network raised: an ``OSError`` that is of no file, be it the cause of the client's own error."""
    for _ in range(_DEEPEST):  # httpx raises its own from httpcore's from the socket's
        if isinstance(error, OSError):
            return None if isinstance(error, _OF_FILES) else error
        error = None if error is None else error.__cause__
    return None


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that *error* carries, as clients name it: ``status``, ``status_code``, ``code``."""
    for holder in (error, _read(error, "response")):
        for name in ("status_code", "status", "code"):
            status = _read(holder, name)
            if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
                return int(status)
    return None


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that *error* asks to wait: ``retry_after``, or the HTTP header; None when it doesn't say."""
    told = _read(error, "retry_after")
    if told is None:
        for holder in (error, _read(error, "response")):
            told = _header(_read(holder, "headers"))
            if told is not None:
                break
    return _seconds_from(told)


def _read(holder: Any, name: str) -> Any:
    """Return an attribute; None where there is none, or reading it fails: that mustn't hide the failure itself."""
    try:
        return getattr(holder, name, None)
    except Exception:
        return None


def _header(headers: Any) -> Any:
    try:
        return headers.get("Retry-After") or headers.get("retry-after")
    except Exception:  # None, or no mapping
        return None


def _seconds_from(told: Any) -> float | None:
    if told is None or isinstance(told, bool):
        return None
    try:
        seconds = float(told)
    except Exception:  # who knows what clients put there
        seconds = _seconds_until(told) if isinstance(told, str) else -1.0
    return seconds if 0 <= seconds < float("inf") else None


def _seconds_until(date: str) -> float:
    import datetime  # loaded by the first failure that names a date, and not by `import linecook`
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.datetime.now(datetime.UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):  # not a date either, or one without a zone, or of no calendar
        return -1.0
