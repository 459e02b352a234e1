"""How many tokens a call is going to use: what it reserves on entry, before anybody knows.

With an ``estimate=`` of the user's, that, times the largest factor by which such estimates were too low lately.
Without one, the mean of what calls were charged plus twice the mean deviation (as Jacobson's for round trips, 1988).
Before the first charge an eighth of the limit: a few calls go ahead and show what they cost.
"""

from __future__ import annotations

from typing import Any

UNKNOWN = 8  # calls that may be under way before anybody knows what one costs
_MARGIN = 1.1  # over the largest factor seen: the next one may be larger by a hair
_MEMORY = 500  # charges after which the largest factor before the last so many is forgotten


class Estimate:
    """What one kind of token costs a call of one limit and key.

    Args:
      bound: tokens a minute; an estimate of ours never asks for more, since it could never be let in.

    Attributes:
      corrects: whether estimates were too low lately.
    """

    __slots__ = ("_before", "_charges", "_deviation", "_factor", "_mean", "bound", "corrects")

    def __init__(self, bound: float) -> None:
        self.bound = bound
        self._mean = -1.0  # below 0: not known
        self._deviation = 0.0
        self._factor = self._before = 1.0  # the largest since, and in, the last stretch of charges
        self._charges = 0
        self.corrects = False

    def unasked(self) -> float:
        """Return what a call reserves when nobody says."""
        if self._mean < 0:
            return min(self.bound, max(1.0, self.bound / UNKNOWN))
        return min(self.bound, self._mean + 2 * self._deviation)

    def corrected(self, said: float) -> float:
        """Return what a call reserves that is said to need *said*; never less than that."""
        if not self.corrects:
            return said
        return max(said, min(self.bound, said * max(self._factor, self._before) * _MARGIN))

    def charged(self, used: float, said: float | None) -> None:
        """Learn that a call used so many; *said* is what its estimate was, None when nobody made one."""
        if said is None:
            if self._mean < 0:
                self._mean, self._deviation = float(used), used / 2
            else:
                off = used - self._mean
                self._mean += off / 8
                self._deviation += (abs(off) - self._deviation) / 4
            return
        if used > said:
            self._factor = max(self._factor, used / max(said, 1.0))
            self.corrects = True
        self._charges += 1
        if self._charges >= _MEMORY:
            self._charges, self._before, self._factor = 0, self._factor, 1.0
            self.corrects = self._before > 1.0


def check_estimate(told: Any, limit: object) -> tuple[float, float]:
    """Return what an ``estimate=`` said, tokens in and tokens out.

    Raises:
      TypeError: it isn't a pair of numbers of 0 or more; the message names the limit.
    """
    try:
        tokens_in, tokens_out = told
        if tokens_in >= 0 and tokens_out >= 0:
            return float(tokens_in), float(tokens_out)
    except (TypeError, ValueError, OverflowError):
        pass
    raise TypeError(f"estimate= of {limit!r} must return (tokens_in, tokens_out), numbers of 0 or more, not {told!r}")
