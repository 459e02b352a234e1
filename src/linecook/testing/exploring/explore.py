"""``explore``: run a program under every order of events that can happen, cheapest first, until one fails."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any, Literal

from ..._core.errors import UsageError
from .choices import Plan, cost_of
from .exploration import Exploration, Failure
from .failures import Found, check_invariant
from .search import Search, shrink
from .world import Main, World

Tier = Literal["stock", "any"]
_SCHEDULES = 2_000
_SECONDS = 30.0


def explore(
    main: Main,
    *,
    invariant: Callable[..., Any] | None = None,
    schedules: int | None = None,
    seconds: float | None = None,
    overtakings: int = 2,
    faults: int = 0,
    tier: Tier = "stock",
    seed: int = 0,
    steps: int = 100_000,
    token: str | None = None,
) -> Exploration:
    """Run *main* under schedule after schedule, until one fails or none is left."""
    _refuse_inside_a_loop()
    check_invariant(invariant)
    if schedules is None and seconds is None:
        schedules, seconds = _SCHEDULES, _SECONDS
    world = World(main, invariant, most_steps=steps, faults=faults > 0, holding=False, seed=seed)
    search = Search(overtakings, faults, seed)
    began = time.monotonic()
    count = 0
    found: Found | None = None
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for plan in search.plans():
            found = world.run(plan)
            count += 1
            if found is not None:
                break
            search.learn(plan)
            if schedules is not None and count >= schedules:
                break
            if seconds is not None and time.monotonic() - began > seconds:
                break
        else:
            plan = None
        failure = None
        if found is not None:
            assert plan is not None
            failure = _failure(world, plan, found)
    finally:
        if was_enabled:
            gc.enable()
    if failure is not None:
        verdict = f"schedule {count} fails: {failure.message}"
    elif search.is_exhausted:
        verdict = f"no failure in any of the {count} schedules with at most {overtakings} overtakings"
    else:
        verdict = f"no failure in {count} schedules"
    return Exploration(failure, count, verdict, search.is_exhausted and failure is None, time.monotonic() - began)


def _failure(world: World, plan: Any, found: Found) -> Failure:
    last: list[Found] = [found]

    def fails(candidate: Plan) -> bool:
        result = world.run(candidate)
        if found.is_like(result):
            assert result is not None
            last[0] = result
            return True
        return False

    best = shrink(tuple(plan.deviations), fails)
    cost = cost_of(best)
    text = f"{found.kind}: {last[0].message}"
    return Failure(
        found.kind, last[0].message, text, "", "shown on the stock loop", cost.overtakings, cost.faults, error=last[0].error
    )


def _refuse_inside_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "explore runs event loops of its own and can't be called inside a running one: call it from a plain def test, "
        "not from an async def"
    )


def replay(main: Main, token: str) -> Exploration:
    """Run the one schedule of *token*."""
    return explore(main, token=token)
