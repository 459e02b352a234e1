"""What a program's plain schedule looks like, cheaply noted: run again at the end of a search, it must look the same.

A search runs one program thousands of times in one process. Where a module's global, a class attribute or a cache lives
on from one schedule to the next, each schedule is that of another program, and "all schedules" means nothing.
"""

from __future__ import annotations

import asyncio
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exploration import Place
from ..failures import Found
from ..loop.steps import task_of
from ..search.choices import Chooses, Plan
from .places import function_of, place_of

if TYPE_CHECKING:
    from ..world import World

MOST = 2_000  # steps that are noted of one schedule

CARRIED = (
    "the program carries state from one schedule to the next, so nothing can be said about all its schedules: run once "
    "more, the plain schedule is another one. {}. Look for what outlives main and is changed by it: a global, a class "
    "attribute, a cache. Make it in main, or reset it where main begins; what is filled once and then stays (a cache, "
    "a lazy import), fill before explore. If there is no such thing: the order of a set of objects, or anything else "
    "that goes by their addresses, is another one in each run"
)
FAILS_NOW = "It failed only now: {}: {}"


class Footprint(NamedTuple):
    """A step of a task.

    Attributes:
      task: its number in the schedule.
      did: ``"goes on"``, ``"ends"``, ``"fails"`` or ``"is cancelled"``.
      place: where it is suspended now; None: nowhere, or in nobody's code.
    """

    task: int
    did: str
    place: Place | None


class Footprints:
    """Notes the plain schedule of a program.

    Args:
      plan: without deviations.

    Attributes:
      steps: the first ``MOST`` steps of tasks.
      found: what was wrong with it.
    """

    def __init__(self, plan: Chooses) -> None:
        self.plan = plan
        self.steps: list[Footprint] = []
        self.found: Found | None = None
        self._names: dict[int, str] = {}

    def run(self, world: World) -> Found | None:
        """Run it; return what was wrong with it."""
        self.found = world.run(self.plan, footprints=self)
        return self.found

    def note(self, handle: asyncio.Handle) -> None:
        """Note that *handle* has run, if it was a task's step."""
        task = task_of(handle) if len(self.steps) < MOST else None
        if task is None:
            return
        number: int = getattr(task, "number", -1)
        self._names.setdefault(number, function_of(task))
        self.steps.append(Footprint(number, _did(task), None if task.done() else place_of(task)))

    def difference(self, other: Footprints) -> str:
        """Return in words where *other*, a later run, first differs from this; empty: nowhere."""
        for number, (one, two) in enumerate(zip_longest(self.steps, other.steps), 1):
            if one != two:
                return f"Step {number} was first: {self._told(one)}, and is now: {other._told(two)}"
        for number, (offer, now) in enumerate(zip_longest(self.plan.log, other.plan.log)):
            if offer != now:
                ways, now_ways = (1 + sum(each or ()) for each in (offer, now))
                return f"At its choice number {number} it first had {ways} ways to go on, and has {now_ways} now"
        if self.found is None and other.found is not None:
            return FAILS_NOW.format(other.found.kind, other.found.message)
        return ""

    def _told(self, step: Footprint | None) -> str:
        if step is None:
            return "none"
        place = f" at {step.place}" if step.place is not None else ""
        return f"{self._names[step.task]} {step.did}{place}"


def carried_state(world: World, first: Footprints) -> str:
    """Run the plain schedule again, twice; return in words how it differs from *first*, empty: not at all.

    Twice, for state that changes to and fro would look the same in every other schedule.
    """
    for _ in range(2):
        again = Footprints(Plan())
        again.run(world)
        differs = first.difference(again)
        if differs:
            return CARRIED.format(differs)
    return ""


def _did(task: asyncio.Task[Any]) -> str:
    if not task.done():
        return "goes on"
    if task.cancelled():
        return "is cancelled"
    return "ends" if getattr(task, "_exception", None) is None else "fails"  # so looked at, it isn't marked as read
