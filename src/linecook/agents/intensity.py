"""How often is too often: restarts of one team in a sliding period."""

from __future__ import annotations

from collections import deque


class Intensity:
    """Counts restarts; more than *most* within *period* seconds are too many. ``most=None``: never too many.

    The rule is that of Erlang's supervisors (``MaxR`` in ``MaxT``): what fails again and again is not cured by another
    start, so somebody further up is to know.
    """

    __slots__ = ("_times", "most", "period", "total")

    def __init__(self, most: int | None, period: float) -> None:
        self.most = most
        self.period = period
        self.total = 0
        self._times: deque[float] = deque()

    def allows(self, now: float) -> bool:
        """Count one restart at *now*; say whether it may take place."""
        self.total += 1
        if self.most is None:
            return True
        times = self._times
        times.append(now)
        while times and times[0] <= now - self.period:
            times.popleft()
        return len(times) <= self.most

    def __str__(self) -> str:
        return f"{self.most} restart{'' if self.most == 1 else 's'} in {self.period:g} s"
