"""Best of n: as many attempts as money and time allow, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .._core.errors import UsageError
from ..tools.many import settle
from ..tools.policies.budget import budget

R = TypeVar("R")


async def best_of(
    make: Callable[[], Coroutine[Any, Any, R]],
    n: int,
    *,
    score: Callable[[R], float],
    usd: float | None = None,
    tokens: int | None = None,
    timeout: float | None = None,
    limit: int = 4,
) -> R:
    """Make up to *n* attempts, as far as money and time go, and return the one with the highest score.

    When: attempts differ, a score is cheap, and quality is worth money. What is there counts: attempts that failed, or
    were not made for want of money or time, only leave fewer to choose from.

    Args:
      make: makes a call, *n* times.
      score: higher is better; of equals the first made is taken. Score with an agent by making it part of the call.
      usd, tokens: what all attempts together may use, counted as ``charge`` says it; None for no bound.
      timeout: seconds for all of them; None for no bound.
      limit: most attempts at once, ≥ 1. Those under way when the budget is used up end: that much it is overdrawn.

    Raises:
      ExceptionGroup: no attempt succeeded; holds what each one raised: ``BudgetExceeded``, ``TimedOutError`` ...
      UsageError: *n* is below 1.
    """
    if n < 1:
        raise UsageError(f"best_of needs at least one attempt, not n={n}")
    with budget(usd=usd, tokens=tokens):
        outcomes = await settle((make() for _ in range(n)), timeout=timeout, limit=limit)
    if not outcomes.results:
        outcomes.raise_all()
    return max(outcomes.results, key=score)
