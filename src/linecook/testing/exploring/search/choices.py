"""Decisions: who decides what happens next at a point where a stock loop leaves it open, and what was decided.

A run asks its ``Plan`` at each point of choice. Option 0 is the default; then come those that cost nothing, those that
cost one overtaking, those that cost one fault. A schedule is known by its *deviations* from the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from ..mistakes import ReplayMismatch

Deviation = tuple[int, int]
"""The number of a point of choice in its run, from 0, and the option taken there, ≥ 1."""


Offer = tuple[int, int, int]
"""How many options a point of choice had besides the default: free ones, overtakings, faults."""


class Chooses(Protocol):
    """Decides; keeps what was offered and what was taken."""

    @property
    def log(self) -> list[Offer]:
        """What was offered so far."""
        ...

    @property
    def deviations(self) -> Sequence[Deviation]:
        """What was taken, or is to be taken, besides the default."""
        ...

    def pick(self, options: Sequence[Any], free: int, faults: int) -> int:
        """Return which of *options* happens, ≥ 0.

        Args:
          options: two or more. The first is the default, then come *free* ones, overtakings, and at the end *faults*.
        """
        ...


class Plan:
    """Follows *deviations*, and the default everywhere else.

    Raises:
      ReplayMismatch: a point of choice has fewer options than the deviation there asks for (from ``pick``).
    """

    __slots__ = ("_at", "_index", "_option", "deviations", "log")

    def __init__(self, deviations: Sequence[Deviation] = ()) -> None:
        self.deviations = deviations
        self.log: list[Offer] = []
        self._index = -1
        self._at = 0
        self._advance()

    def _advance(self) -> None:
        if self._at < len(self.deviations):
            self._index, self._option = self.deviations[self._at]
            self._at += 1
        else:
            self._index, self._option = -1, 0

    def pick(self, options: Sequence[Any], free: int, faults: int) -> int:
        log = self.log
        at = len(log)
        log.append((free, len(options) - 1 - free - faults, faults))
        if at != self._index:
            return 0
        option = self._option
        self._advance()
        return option if option < len(options) else self._missing(at, option, len(options))

    def _missing(self, at: int, option: int, count: int) -> int:
        raise ReplayMismatch(
            f"at its choice number {at} the program had {count} ways to go on; it had more than {option} when it ran "
            "with the same decisions before"
        )

    def is_used_up(self) -> bool:
        """Say whether every deviation was met."""
        return self._index < 0


class Trial(Plan):
    """Follows those of *deviations* that it can, for shrinking; ``deviations`` then tells which it could."""

    __slots__ = ("_unmet",)

    def __init__(self, deviations: Sequence[Deviation]) -> None:
        super().__init__(deviations)
        self._unmet: set[int] = set()

    def _missing(self, at: int, option: int, count: int) -> int:
        self._unmet.add(at)
        return 0

    def settle(self) -> None:
        """Forget the deviations that were not met in the run."""
        met = len(self.log)
        self.deviations = tuple(one for one in self.deviations if one[0] < met and one[0] not in self._unmet)


class Cost(NamedTuple):
    """What a schedule costs; the cheaper one is told first."""

    faults: int
    overtakings: int
    deviations: int


def cost_of(plan: Chooses) -> Cost:
    """Return what the deviations of *plan* cost, by what its run was offered."""
    faults = overtakings = 0
    for at, option in plan.deviations:
        if at < len(plan.log):
            free, overtaking, _ = plan.log[at]
            faults += option > free + overtaking
            overtakings += free < option <= free + overtaking
    return Cost(faults, overtakings, len(plan.deviations))
