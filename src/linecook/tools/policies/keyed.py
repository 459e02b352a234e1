"""One limit per key: per host, model or account, each with its own gates and waiting room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from heapq import nlargest
from typing import Any, Generic, Protocol, TypeVar

from .retry_budget import RetryBudget

MOST_KEYS = 10_000
_LOOKS = 8  # keys that are looked at for one to forget
_SHOWN = 20


class Kept(Protocol):
    """What is kept for a key."""

    @property
    def taken(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def refused(self) -> int: ...
    def is_busy(self) -> bool: ...
    def is_idle(self) -> bool: ...
    def retuned(self) -> None: ...
    def statistics(self) -> dict[str, Any]: ...


K = TypeVar("K", bound=Kept)


class Keyed(Generic[K]):
    """What is kept for each key, made by *make* on first use; at most 10,000 that aren't busy.

    Beyond that the one used longest ago is forgotten: one that remembers nothing if there is one near, else one whose
    window still does. One with calls in flight or waiting never is.
    """

    __slots__ = ("__weakref__", "_kept", "_latest", "_make", "budget", "forgotten")

    def __init__(self, make: Callable[[Hashable], K], budget: RetryBudget) -> None:
        self._make = make
        self.budget = budget
        self._kept: OrderedDict[Hashable, K] = OrderedDict()
        self._latest: K | None = None  # the one used last
        self.forgotten = 0

    def of(self, key: Hashable) -> K:
        """Return what is kept for *key*."""
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST_KEYS:
                self._forget_one()
            kept = self._kept[key] = self._make(key)
        elif kept is not self._latest:
            self._kept.move_to_end(key)
        self._latest = kept
        return kept

    def _forget_one(self) -> None:
        oldest = None
        for _ in range(min(_LOOKS, len(self._kept))):
            key = next(iter(self._kept))
            self._kept.move_to_end(key)
            if self._kept[key].is_busy():
                continue
            if self._kept[key].is_idle():
                oldest = key
                break
            oldest = key if oldest is None else oldest
        if oldest is not None:
            del self._kept[oldest]
            self.forgotten += 1

    def is_idle(self) -> bool:
        """Say whether none of them is busy, or remembers anything."""
        return all(kept.is_idle() for kept in self._kept.values())

    def retuned(self) -> None:
        """Tell all of them that the limit has other figures."""
        for kept in list(self._kept.values()):
            kept.retuned()

    def statistics(self) -> dict[str, Any]:
        """Return the sums, and the busiest 20 keys; from any thread."""
        several = list(self._kept.items())
        counts = [(kept.taken, kept.waiting, kept.refused) for _, kept in several]
        in_flight, waiting, refused = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0, 0)
        busiest = nlargest(_SHOWN, range(len(several)), key=lambda at: (counts[at][0] + counts[at][1], counts[at][2]))
        retries = {"retries": self.budget.spent, "retries_refused": self.budget.refused}
        return {
            "keys": len(several),
            "forgotten": self.forgotten,
            "in_flight": in_flight,
            "waiting": waiting,
            "refused": refused,
            "busiest": {several[at][0]: several[at][1].statistics() for at in busiest},
        } | (retries if any(retries.values()) else {})

    def __len__(self) -> int:
        return len(self._kept)
