"""Race with fallback: the first success, or a plain answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from .._core.errors import TimedOutError
from ..tools.many import first

R = TypeVar("R")


async def race(
    calls: Iterable[Coroutine[Any, Any, R]],
    fallback: Callable[[], Coroutine[Any, Any, R]],
    *,
    timeout: float | None = None,
) -> R:
    """Return the first success of *calls*; if all fail, or none succeeds in time, what *fallback* makes.

    When: several can answer and one answer will do, and a plain one at last is better than none.

    Args:
      calls: started at once; those that lose are cancelled.
      fallback: makes the call that is tried last. It has the time that is left around this.
      timeout: seconds for the race; None for no bound of its own.

    Raises:
      what the fallback raises; why the race had no winner is its ``__context__``.
    """
    try:
        return await first(calls, timeout=timeout)
    except (TimedOutError, ExceptionGroup):
        return await fallback()
