"""From a failing schedule to a ``Failure``: run once more with everything noted; and from a token back to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..exploration import Exploration, Failure, Label
from ..failures import Found
from ..mistakes import ReplayMismatch
from ..search.choices import Chooses, Plan, cost_of
from .accesses import accesses_of, awaits_of
from .conflicts import conflict_in
from .determinism import ADVICE, difference
from .observing import Observation
from .report import told
from .token import Named, Recipe, Replay, first_difference, write_token
from .tracer import Tracer

if TYPE_CHECKING:
    from ..world import World

_OF_OTHERS = ("not on the stock loop", "not known on the stock loop")


def failure_of(world: World, plan: Chooses, found: Found, label: Label, count: int) -> Failure:
    """Run the failing schedule of *plan* once more, noting what happens, and tell it.

    Args:
      plan: it was run, and *found* is what was wrong.
      label: what is known of the stock loop.
      count: how many schedules were run until it was found.

    Raises:
      ReplayMismatch: with the same decisions it doesn't fail again, or otherwise.
    """
    tracer = Tracer()
    named = Named(Plan(plan.deviations), tracer)
    with Observation(tracer.here) as observation:
        again = world.run(named, tracer)
    if again is None or not found.is_like(again):
        raise _other(world, plan, found, again)
    cost = cost_of(plan)
    if label in _OF_OTHERS and not any(what == "hold" for _, what in named.decisions):
        label = "shown on the stock loop"  # nothing was held back, though it might have been
    failure = Failure(
        kind=again.kind,
        message=found.message if again.kind == "hang" else again.message,  # it was cut short this time
        report="",
        token=write_token(Recipe(tuple(named.decisions), tuple(tracer.order), _settings(world, label, again))),
        label=label,
        overtakings=cost.overtakings,
        faults=cost.faults,
        steps=tuple(tracer.steps),
        accesses=accesses_of(again.loss),
        waits=tuple(tracer.waits),
        error=again.error,
        awaits=awaits_of(again.loss),
    )
    conflict = conflict_in(observation.seen, failure.steps)
    if conflict is not None:
        failure = replace(failure, steps=conflict.shown_in(failure.steps, observation.seen))
        failure = replace(failure, accesses=failure.accesses or conflict.accesses)
    return replace(failure, report=told(failure, count, conflict))


def _other(world: World, plan: Chooses, found: Found, again: Found | None) -> ReplayMismatch:
    other = "did not" if again is None else f"failed otherwise ({again.kind}: {again.message})"
    return ReplayMismatch(
        f"a schedule failed ({found.kind}: {found.message}), and with the same decisions again it {other}; "
        f"{difference(world, plan.deviations)}{ADVICE}"
    )


def _settings(world: World, label: Label, found: Found) -> dict[str, object]:
    return {
        "tier": "any" if world.holding else "stock",
        "points": world.points,
        "faults": sorted(world.faults),
        "seed": world.seed,
        "label": label,
        "kind": found.kind,
    }


def replayed(world: World, recipe: Recipe) -> Exploration | str:
    """Run the schedule of a token; return what came of it, or in words why it doesn't fit the program.

    It fits when each of its decisions is met and the program fails as it did, though some steps are others now; or when
    all steps are the same, and it fails no more. Anything else is the schedule of another program.
    """
    tracer = Tracer()
    plan = Replay(recipe.decisions, tracer)
    found = world.run(plan, tracer)
    differs = first_difference(recipe.order, tracer.order)
    if plan.left:
        unmet = f"{len(plan.left)} of its {len(recipe.decisions)} decisions can't be met"
        return f"{unmet}; {differs or 'all steps are made by the same tasks'}"
    if found is None:
        return differs or Exploration(None, 1, "no failure in the schedule of the token")
    kind = recipe.settings.get("kind", found.kind)
    if differs and found.kind != kind:
        return f"{differs}; and it fails otherwise: {found.kind}, where the token is of: {kind}"
    label: Label = recipe.settings.get("label", "shown on the stock loop")
    failure = failure_of(world, plan, found, label, 1)
    return Exploration(failure, 1, f"the token's schedule failed: {failure.kind}: {failure.message}")
