"""Map-reduce: every item on its own, then the results joined a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from .._core.errors import UsageError
from ..tools.many import gather

A = TypeVar("A")
B = TypeVar("B")


async def map_reduce(
    items: Iterable[A],
    each: Callable[[A], Coroutine[Any, Any, B]],
    join: Callable[[list[B]], Coroutine[Any, Any, B]],
    *,
    width: int = 8,
    limit: int | None = 1000,
) -> B:
    """Work on every item, and join the results *width* at a time, until one is left.

    When: there is more than one agent can take in at once, such as a book to be summarised.

    Args:
      items: at least one; pulled as places become free.
      each: makes a call for an item.
      join: makes a call that joins neighbouring results, 2 to *width* of them, in input order. A single one is left
        as it is, so for one item there is nothing to join.
      width: most results that are joined at once, ≥ 2.
      limit: most calls at once; None for no bound.

    Raises:
      UsageError: there are no items, or *width* is below 2.
      the first failure, after the rest was cancelled.

    Source: Dean and Ghemawat, "MapReduce: Simplified Data Processing on Large Clusters", 2004.
    """
    if width < 2:
        raise UsageError(f"width={width} of map_reduce: joining fewer than 2 would never come to an end")
    results = await gather((each(item) for item in items), limit=limit)
    if not results:
        raise UsageError("map_reduce needs at least one item: of nothing there is nothing to join")

    async def joined(group: list[B]) -> B:
        if len(group) == 1:
            return group[0]
        return await join(group)

    while len(results) > 1:
        groups = [results[start : start + width] for start in range(0, len(results), width)]
        results = await gather((joined(group) for group in groups), limit=limit)
    return results[0]
