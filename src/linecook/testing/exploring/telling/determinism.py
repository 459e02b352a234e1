"""What a program does differently when the same schedule runs again: the first step that differs, in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..exploration import Step
from ..search.choices import Deviation, Trial
from .token import Named
from .tracer import Tracer

if TYPE_CHECKING:
    from ..world import World

ADVICE = (
    "Something outside the schedule decides what the program does: state that outlives main, the addresses of objects "
    "(the order of a set, id()), real time, or chance that isn't Python's own"
)


def difference(world: World, deviations: Sequence[Deviation]) -> str:
    """Run the schedule of *deviations* twice; return in words which step is the first to differ, empty: none does."""
    before, after = _steps(world, deviations), _steps(world, deviations)
    for number, (one, other) in enumerate(zip_longest(before, after), 1):
        if _shape(one) != _shape(other):
            return f"the first step that differs is number {number}: once {_told(one)}, then {_told(other)}. "
    return ""


def _steps(world: World, deviations: Sequence[Deviation]) -> list[Step]:
    tracer = Tracer()
    world.run(Named(Trial(deviations), tracer), tracer)
    return tracer.steps


def _shape(step: Step | None) -> object:
    return None if step is None else (step.party, step.path, step.what, step.began, step.place)


def _told(step: Step | None) -> str:
    if step is None:
        return "there is none"
    place = f" at {step.place}" if step.place is not None else ""
    return f"{step.party}: {step.what}{place}"
