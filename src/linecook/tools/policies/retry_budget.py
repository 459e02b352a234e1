"""How much extra load retries may make: a share of the calls, and a few to begin with.

While one call in a hundred fails, retries are never short of it; while everything fails, the calls fail soon and the
server gets a tenth more than it would have anyway, rather than three times as much. The idea is Finagle's RetryBudget
and the Google SRE book's (chapter 21).
"""

from __future__ import annotations

RESERVE = 10.0  # retries that a program may make before it has made enough calls to earn them
MOST_SAVED = 100.0


class RetryBudget:
    """What retries of one limit may cost.

    Args:
      share: retries earned by each call, 0..1; None for as many as ``Retry`` wants.
    """

    __slots__ = ("_left", "refused", "share", "spent")

    def __init__(self, share: float | None) -> None:
        self.share = share
        self._left = RESERVE
        self.spent = 0
        self.refused = 0

    def earn(self) -> None:
        """Note a first attempt."""
        if self.share is not None and self._left < MOST_SAVED:
            self._left += self.share

    def spend(self) -> bool:
        """Take one retry, and say whether there was one."""
        if self.share is not None:
            if self._left < 1.0:
                self.refused += 1
                return False
            self._left -= 1.0
        self.spent += 1
        return True
