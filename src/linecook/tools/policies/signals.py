"""What a failure says about the server it came from: too much load, in trouble, or nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from ..._core.errors import LinecookError, TimedOutError

Signal = Literal["ok", "overloaded", "down", "nothing"]
"""``ok``: it served. ``overloaded``: it wants less. ``down``: it is in trouble, whatever the load. ``nothing``: the
call failed by itself, or was cancelled."""

OVERLOADED = (429, 503)
_DEEPEST = 5  # causes that are looked at
_OF_FILES = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
Overloaded = Callable[[BaseException], bool]


def signal_of(error: BaseException | None, overloaded: Overloaded | None = None) -> Signal:
    """Return what a call that ended with *error* (None: it returned) says of the server.

    Overloaded: status 429 or 503, an error that says when to come back, and an attempt that ran into its time-out.
    Down: another 5xx, and what the network raises (``OSError``, which ``ConnectionError`` and ``TimeoutError`` are, or
    what a client raises from one; not those of files).
    *overloaded* decides the first in place of this; an error it raises is the caller's to see.
    """
    if error is None:
        return "ok"
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "nothing"
    if overloaded is not None and overloaded(error):
        return "overloaded"
    status = status_of(error)
    timed_out = isinstance(error, TimedOutError) and error.running > 0.0
    if overloaded is None and (status in OVERLOADED or timed_out or retry_after(error) is not None):
        return "overloaded"
    if status is not None:
        return "down" if status >= 500 else "ok"  # a 404 was served as well as a page
    if isinstance(error, LinecookError):
        return "down" if timed_out else "nothing"
    return "down" if _is_network(error) else "nothing"


def _is_network(error: BaseException | None) -> bool:
    """Say whether the network failed: an ``OSError`` that is of no file, or what a client made of one."""
    for _ in range(_DEEPEST):  # httpx raises its own from httpcore's from the socket's
        if isinstance(error, OSError):
            return not isinstance(error, _OF_FILES)
        error = None if error is None else error.__cause__
    return False


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that *error* carries, as clients name it: ``status``, ``status_code``, ``code``."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status: Any = getattr(holder, name, None)
            if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
                return int(status)
    return None


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
    import datetime  # loaded by the first failure that names a date, and not by `import linecook`
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.datetime.now(datetime.UTC)).total_seconds())
    except (TypeError, ValueError):  # not a date either, or one without a zone
        return -1.0
