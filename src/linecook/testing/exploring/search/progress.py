"""How far an exploration is, for who watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

BETWEEN = 0.1
"""Least seconds between two tellings."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an exploration is.

    Attributes:
      schedules: how many were run, those for shrinking not counted.
      seconds: of real time since it began.
      level: which schedules are tried now, in words: ``"1 overtaking"``, ``"sampled"``.
      shrinking: whether one has failed, and is being made smaller.
    """

    schedules: int
    seconds: float
    level: str
    shrinking: bool = False

    def __str__(self) -> str:
        many = f"{self.schedules:,} schedule{'s' * (self.schedules != 1)} in {self.seconds:.0f} s"
        if self.shrinking:
            return f"{many}; the last one failed, and is made smaller"
        return f"{many}; now {self.level}"


class Watcher:
    """Tells of progress.

    Args:
      tell: called with a ``Progress``, at most ten times in a second; None: nobody is.
      seconds: since the beginning, of real time.
    """

    def __init__(self, tell: Callable[[Progress], object] | None, seconds: Callable[[], float]) -> None:
        self._tell = tell
        self._seconds = seconds
        self._next = 0.0

    def look(self, schedules: int, level: Callable[[], str], shrinking: bool = False) -> None:
        """Tell of progress, if it is time to."""
        if self._tell is None:
            return
        now = self._seconds()
        if now >= self._next:
            self._next = now + BETWEEN
            self._tell(Progress(schedules, now, level(), shrinking))
