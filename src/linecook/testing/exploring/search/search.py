"""Which schedules are tried, in which order: cheapest first, mixed with samples; and how a found one is made smaller.

Every schedule is the list of its deviations from the default, so each is made exactly once, out of the one that lacks
its last deviation. Within a cost the fewest deviations come first; between costs the turns are shared out, since the
orders that cost nothing alone are as many as a factorial. No schedule is left out for being like another: state that
nobody observes makes all steps depend on each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from random import Random

from .choices import Chooses, Deviation, Plan, Trial, cost_of
from .samples import Sample, sample

SAMPLES_FROM = 24  # schedules that are tried before samples mix in: most bugs need fewer
STRICT = 64  # schedules before the turns of the others are shared out between the costs: cheapest first until then
_MOST_SAMPLES = 50_000
SHARE = 3  # every so many schedules, one is a sample

Path = tuple[Deviation, ...]
Family = tuple[Path, list[Deviation]]  # what they share, and the last deviation of each, the next at the end


class Search:
    """The schedules still to be tried.

    Args:
      overtakings, faults: bounds.
      seed: of the samples.

    Attributes:
      is_exhausted: whether every schedule within the bounds was tried.
      systematic, sampled: how many were taken cheapest first, after the plain one, and how many were samples.
    """

    def __init__(self, overtakings: int, faults: int, seed: int) -> None:
        self._most = (faults, overtakings)
        self._dice = Random(seed)
        levels = [(faulty, overtaking) for faulty in range(faults + 1) for overtaking in range(overtakings + 1)]
        # By level, the cheapest first, and by number of deviations.
        self._waiting: dict[tuple[int, int], dict[int, deque[Family]]] = {
            level: {} for level in sorted(levels, key=lambda level: (sum(level), level))
        }
        self._asked = 0
        self.sampled = 0
        self._length = 2
        self.is_exhausted = False
        self.systematic = 0

    def plans(self) -> Iterator[Chooses]:
        """Yield plans until everything within the bounds was tried; tell ``learn`` of each before taking the next."""
        yield Plan()
        while not self.look_whether_exhausted():
            self._asked += 1
            if self._asked > SAMPLES_FROM and self._asked % SHARE == 0 and self.sampled < _MOST_SAMPLES:
                yield self._sample()
            else:
                self.systematic += 1
                yield Plan(self._cheapest())

    def look_whether_exhausted(self) -> bool:
        """Say, and note, whether no schedule within the bounds is left."""
        self.is_exhausted = not any(self._waiting.values())
        return self.is_exhausted

    def learn(self, plan: Chooses) -> None:
        """Note what the run of *plan* was offered: from each of its choices on, other schedules begin."""
        if isinstance(plan, Sample):
            return
        spent = cost_of(plan)
        path = tuple(plan.deviations)
        first = path[-1][0] + 1 if path else 0
        self._length = max(self._length, len(plan.log))
        here: list[Deviation] = []
        overtaken: list[Deviation] = []
        failed: list[Deviation] = []
        may_fail, may_overtake = spent.faults < self._most[0], spent.overtakings < self._most[1]
        for at in range(first, len(plan.log)):
            free, overtaking, faulty = plan.log[at]
            if free:
                here += [(at, option) for option in range(1, 1 + free)]
            if overtaking and may_overtake:
                overtaken += [(at, option) for option in range(1 + free, 1 + free + overtaking)]
            if faulty and may_fail:
                failed += [(at, 1 + free + overtaking + number) for number in range(faulty)]
        self._wait((spent.faults, spent.overtakings), path, here)
        self._wait((spent.faults, spent.overtakings + 1), path, overtaken)
        self._wait((spent.faults + 1, spent.overtakings), path, failed)

    def _wait(self, level: tuple[int, int], path: Path, lasts: list[Deviation]) -> None:
        if lasts:
            lasts.reverse()
            self._waiting[level].setdefault(len(path) + 1, deque()).append((path, lasts))

    def _cheapest(self) -> Path:
        """Take the next schedule: in the end half of the turns are for the cheapest level, a quarter for the next…"""
        levels = [level for level, queues in self._waiting.items() if queues]
        turn = self.systematic if self._asked > STRICT else 0
        at = 0
        while at < len(levels) - 1 and turn & 1:
            turn >>= 1
            at += 1
        return self._take(levels[at])

    def _take(self, level: tuple[int, int]) -> Path:
        queues = self._waiting[level]
        count = min(queues)
        families = queues[count]
        path, lasts = families[0]
        families.rotate(-1)  # each family in its turn: early and late deviations alike
        last = lasts.pop()
        if not lasts:
            families.pop()
            if not families:
                del queues[count]
        return (*path, last)

    def _sample(self) -> Sample:
        self.sampled += 1
        faults, overtakings = self._most
        return sample(self.sampled, self._dice, overtakings, faults, self._length)


def smallest(found: Chooses, run: Callable[[Chooses], bool], most: int = 300) -> Chooses:
    """Return the cheapest plan found that fails as *found* does: fewest faults, overtakings, deviations, in this order.

    Args:
      found: a plan that was run and failed.
      run: runs a plan and says whether it fails in the same way.
      most: most plans to run for each of: making the plan smaller, and searching for one of a cheaper level.
    """
    best = shrink(tuple(found.deviations), run, most)
    cost = cost_of(best)
    for faults in range(cost.faults + 1):
        for overtakings in range(cost.overtakings + 1 if faults < cost.faults else cost.overtakings):
            cheaper = _first(Search(overtakings, faults, 0), run, most)
            if cheaper is not None:
                return shrink(tuple(cheaper.deviations), run, most)
    return best


def _first(search: Search, run: Callable[[Chooses], bool], most: int) -> Chooses | None:
    """Return the first of at most *most* plans that fails."""
    for count, plan in enumerate(search.plans()):
        if count >= most:
            return None
        if run(plan):
            return plan
        search.learn(plan)
    return None


def shrink(path: Sequence[Deviation], run: Callable[[Chooses], bool], most: int) -> Chooses:
    """Return a cheaper plan that fails in the same way: fewest faults, then overtakings, then deviations.

    Args:
      path: the deviations of a failing schedule.
      run: runs a plan and says whether it fails in the same way.
      most: most plans to run.

    Removes one deviation after another, from the last to the first, then pairs, then makes options smaller; whenever a
    smaller plan fails too, goes on from that one. Deviations are numbered by point of choice, so removing one moves
    those behind it: the ones that can't be met any more just don't happen, and what was met is what counts.
    """
    best = Trial(tuple(path))
    run(best)
    best.settle()
    left = most

    def better(candidate: Path) -> bool:
        nonlocal best, left
        if left <= 0:
            return False
        left -= 1
        plan = Trial(candidate)
        if not run(plan):
            return False
        plan.settle()
        if cost_of(plan) >= cost_of(best):
            return False
        best = plan
        return True

    while any(better(candidate) for candidate in _smaller(tuple(best.deviations))):
        pass
    return best


def _smaller(path: Path) -> Iterator[Path]:
    """Yield what might do instead of *path*: without one, without two, with a deviation earlier or later."""
    for at in reversed(range(len(path))):
        yield path[:at] + path[at + 1 :]
    if len(path) <= 12:
        for one in reversed(range(len(path))):
            for other in reversed(range(one)):
                yield path[:other] + path[other + 1 : one] + path[one + 1 :]
    for at in reversed(range(len(path))):
        index, option = path[at]
        room = path[at - 1][0] if at else -1
        for near in range(index - 1, max(room, index - 8), -1):
            for other in range(1, 4):
                yield (*path[:at], (near, other), *path[at + 1 :])
        if option > 1:
            yield (*path[:at], (index, 1), *path[at + 1 :])
