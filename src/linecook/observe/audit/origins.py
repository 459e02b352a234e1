"""The line that made a coroutine, as Python itself remembers it when asked to, and what else is known of it.

``sys.set_coroutine_origin_tracking_depth`` has Python note file and line in each coroutine that is made: some 0.2 µs,
in C, for each, and a library such as an HTTP client makes dozens for every request (benchmarks: watch_http).
"""

from __future__ import annotations

import sys
from typing import Any

from ..._core.place import is_ours_or_pythons
from .ledger import Where
from .makers import maker_of

_DEPTH = 1


def remember_origins() -> None:
    """From now on coroutines made in this thread remember their line; debug mode, which remembers more, stays."""
    if sys.get_coroutine_origin_tracking_depth() < _DEPTH:
        sys.set_coroutine_origin_tracking_depth(_DEPTH)


def forget_origins() -> None:
    """Undo ``remember_origins`` for this thread."""
    if sys.get_coroutine_origin_tracking_depth() == _DEPTH:
        sys.set_coroutine_origin_tracking_depth(0)


def origin_of(coroutine: Any) -> Where | None:
    """Return the line that made *coroutine*; None: it doesn't know."""
    origin = getattr(coroutine, "cr_origin", None)
    if not origin:
        return None
    # Innermost first. In debug mode there are up to ten: the user's own is wanted.
    for file, line, function in origin:
        if not is_ours_or_pythons(file):
            return Where(file, line, function)
    return Where(*origin[0])


def definition_of(coroutine: Any) -> Where | None:
    """Return the first line of the function that *coroutine* runs; None: it has no code of its own."""
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    return Where(code.co_filename, code.co_firstlineno, code.co_qualname) if code is not None else None


def coroutine_of(task: Any) -> Any:
    """Return what *task* runs; None for a future that runs nothing."""
    get: Any = getattr(task, "get_coro", None)
    return None if get is None else get()


def made_at(task: Any) -> Where | None:
    """Return the line that made *task*, else the one that made its coroutine, else its function's first."""
    return line_that_made(task) or definition_of(coroutine_of(task))


def line_that_made(task: Any) -> Where | None:
    """Return the line that made *task*, or its coroutine; None: it isn't known."""
    return maker_of(task) or origin_of(coroutine_of(task))


def name_of(coroutine: Any) -> str:
    """Return the qualified name of what *coroutine* runs."""
    return str(getattr(coroutine, "__qualname__", None) or type(coroutine).__name__)
