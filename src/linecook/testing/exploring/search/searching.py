"""One exploration: the budget, the tiers one after the other, and the verdict: never more than was searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..exploration import Exploration, Label
from ..failures import Found
from ..mistakes import ReplayMismatch
from ..sealing.sittings import Sitting
from ..telling.determinism import ADVICE, difference
from ..telling.finding import failure_of
from ..telling.footprints import CARRIED, FAILS_NOW, Footprints, carried_state
from .choices import Chooses, cost_of
from .progress import Watcher
from .samples import Sample
from .search import Search, smallest

if TYPE_CHECKING:
    from ..world import World

Tier = Literal["stock", "any"]
_SHOWN_OF_HANG = 2_000  # steps


class Searching:
    """Searches one tier after another until something fails or the budget is used up.

    Args:
      schedules, seconds, overtakings, faults: as of ``explore``.
      watcher: is told how far it is.
    """

    def __init__(
        self,
        world: World,
        sitting: Sitting,
        schedules: int | None,
        seconds: float | None,
        overtakings: int,
        faults: int,
        watcher: Watcher,
    ) -> None:
        self._world = world
        self._sitting = sitting
        self._schedules = schedules
        self._seconds = seconds
        self._overtakings = overtakings
        self._faults = faults
        self._watcher = watcher
        self._count = 0
        self._searched: list[tuple[Tier, Search, int]] = []

    def search(self, tier: Tier, share: float) -> Exploration | None:
        """Search *tier* until *share* of the budget is used up; return the failure found, or None."""
        self._world.holding = tier == "any"
        search = Search(self._overtakings, self._faults, self._world.seed)
        before = self._count
        self._searched.append((tier, search, 0))
        first: Footprints | None = None
        for plan in search.plans():
            if first is None:
                first = Footprints(plan)
                found = first.run(self._world)
            else:
                found = self._run(plan)
            self._count += 1
            self._searched[-1] = (tier, search, self._count - before)
            if found is not None:
                return self._found(plan, found, tier)
            search.learn(plan)
            self._watcher.look(self._count, lambda: _level(plan))  # noqa: B023 - asked at once or never
            if self._sitting.interrupted or self._is_used_up(share):
                search.look_whether_exhausted()
                break
        if first is not None and not self._sitting.interrupted:
            self._look_for_carried_state(first)
        return None

    def _look_for_carried_state(self, first: Footprints) -> None:
        carried = carried_state(self._world, first)
        if carried:
            raise ReplayMismatch(carried)

    def _run(self, plan: Chooses) -> Found | None:
        try:
            return self._world.run(plan)
        except ReplayMismatch as mismatch:
            told = difference(self._world, plan.deviations)
            raise ReplayMismatch(f"{mismatch}; {told}{ADVICE}") from None

    def _is_used_up(self, share: float) -> bool:
        return (self._schedules is not None and self._count >= self._schedules * share) or (
            self._seconds is not None and self._sitting.seconds() >= self._seconds * share
        )

    def _found(self, plan: Chooses, found: Found, tier: Tier) -> Exploration:
        best, world = plan, self._world
        if found.kind == "hang":  # each takes long, and the last steps are like the first: not made smaller
            world.most_steps = min(world.most_steps, _SHOWN_OF_HANG)
        else:
            best = smallest(plan, lambda candidate: self._fails_too(candidate, found))
            if plan.deviations and not best.deviations:  # the plain schedule, which was the first one, and passed
                raise ReplayMismatch(CARRIED.format(FAILS_NOW.format(found.kind, found.message)))
        failure = failure_of(world, best, found, self._label(tier), self._count)
        verdict = f"schedule {self._count:,} failed: {failure.kind}: {failure.message}"
        return Exploration(
            failure, self._count, verdict, False, self._sitting.seconds(), interrupted=self._sitting.interrupted
        )

    def _fails_too(self, candidate: Chooses, found: Found) -> bool:
        """Say whether a smaller schedule fails in the same way; after Ctrl-C none is tried."""
        self._watcher.look(self._count, lambda: "", shrinking=True)
        return not self._sitting.interrupted and found.is_like(self._world.run(candidate))

    def _label(self, tier: Tier) -> Label:
        if self._world.points == "opcodes" and self._sitting.had_threads():
            return "without the GIL"
        if tier == "stock":
            return "shown on the stock loop"
        return "not on the stock loop" if self._searched[0][1].is_exhausted else "not known on the stock loop"

    def nothing(self) -> Exploration:
        """Return that no failure was found, and where."""
        verdict = "no failure in " + "; nor in ".join(self._words(*each) for each in self._searched)
        exhausted = all(search.is_exhausted for _, search, _ in self._searched)
        interrupted = self._sitting.interrupted
        verdict = f"interrupted: {verdict}" if interrupted else verdict
        return Exploration(None, self._count, verdict, exhausted, self._sitting.seconds(), interrupted=interrupted)

    def _words(self, tier: Tier, search: Search, count: int) -> str:
        bound = f"at most {_many(self._overtakings, 'overtaking')}"
        bound += f" and {_many(self._faults, 'fault')}" if self._faults else ""
        bound += " or steps held back" if tier == "any" else ""
        if search.is_exhausted:
            return (
                f"all {_many(count, 'schedule')} with {bound}"
                if count > 1
                else f"the one schedule that there is, with {bound}"
            )
        sampled = search.sampled
        how = f"{count - sampled:,} cheapest first, {sampled:,} sampled"
        return f"{_many(count, 'schedule')} ({how}) with {bound}, which are not all"


def _level(plan: Chooses) -> str:
    """Return in words which schedules are tried now."""
    if isinstance(plan, Sample):
        return "sampled"
    cost = cost_of(plan)
    return _many(cost.overtakings, "overtaking") + (f" and {_many(cost.faults, 'fault')}" if cost.faults else "")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
