"""How much extra load retries may make: a share of the calls, and a few to begin with.

While one call in a hundred fails, retries are never short of it; while everything fails, the calls fail soon and the
server gets a tenth more than it would have anyway, and one a second, rather than three times as much. The idea is
Finagle's RetryBudget, the floor by the second included, and the Google SRE book's (chapter 21).
"""

from __future__ import annotations

import math

RESERVE = 10.0  # retries that a program may make before it has made enough calls to earn them
PER_SECOND = 1.0  # that come back by themselves up to that: who calls once a minute is no load, and may try again
MOST_SAVED = 100.0


class RetryBudget:
    """What retries of one limit may cost.

    Args:
      share: retries earned by each call, 0..1; None for as many as ``Retry`` wants.
    """

    __slots__ = ("_at", "_left", "refused", "share", "spent")

    def __init__(self, share: float | None) -> None:
        self.share = share
        self._left = RESERVE
        self._at = -math.inf  # when it was looked at last
        self.spent = 0
        self.refused = 0

    def earn(self) -> None:
        """Note a first attempt."""
        if self.share is not None and self._left < MOST_SAVED:
            self._left += self.share

    def has_one(self, now: float) -> bool:
        """Say whether there is a retry to be had; one that isn't is counted as refused."""
        if self.share is None:
            return True
        if self._left < RESERVE:
            self._left = min(RESERVE, self._left + max(0.0, now - self._at) * PER_SECOND)
        self._at = now
        if self._left < 1.0:
            self.refused += 1
            return False
        return True

    def spend(self) -> None:
        """Take one retry; there is one, as ``has_one`` said."""
        if self.share is not None:
            self._left -= 1.0
        self.spent += 1
