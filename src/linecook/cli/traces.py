"""Tracebacks that start at the user's line: frames of the importer, of asyncio and of linecook are left out."""

from __future__ import annotations

import os
import traceback
from types import TracebackType

_HOUSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_ASYNCIO = os.path.dirname(os.path.abspath(os.__file__)) + os.sep + "asyncio" + os.sep


def user_trace(error: BaseException) -> str:
    """Return the traceback of *error*, causes and groups included, without frames that aren't the user's.

    Where a traceback has no frame of the user's at all, it stays whole: it is then all there is.
    """
    trace = traceback.TracebackException.from_exception(error)
    _strip(trace, set())
    return "".join(trace.format())


def user_line(error: BaseException) -> str | None:
    """Return ``file.py:12 in fetch``, the innermost frame of *error* that is the user's; None when there is none.

    What the user's code called in a library counts as that library's: the line is the last one before any frame in
    site-packages or the standard library, if there is such a line.
    """
    place: str | None = None
    walker: TracebackType | None = error.__traceback__
    while walker is not None:
        code = walker.tb_frame.f_code
        if not _is_ours(code.co_filename) and not _is_library(code.co_filename):
            place = f"{os.path.basename(code.co_filename)}:{walker.tb_lineno} in {code.co_name}"
        walker = walker.tb_next
    return place


def _strip(trace: traceback.TracebackException, seen: set[int]) -> None:
    if id(trace) in seen:
        return
    seen.add(id(trace))
    kept = [frame for frame in trace.stack if not _is_ours(frame.filename)]
    if kept:
        trace.stack = traceback.StackSummary.from_list(kept)
    for other in (trace.__cause__, trace.__context__, *(trace.exceptions or ())):
        if other is not None:
            _strip(other, seen)


def _is_ours(filename: str) -> bool:
    return filename.startswith(("<frozen importlib", _HOUSE, _ASYNCIO)) or filename.endswith("importlib/__init__.py")


def _is_library(filename: str) -> bool:
    return "site-packages" in filename or filename.startswith((os.path.dirname(os.__file__) + os.sep, "<frozen "))
