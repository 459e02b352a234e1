"""``explore``: run a program under every order of events that can happen, cheapest first, until one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

from ..._core.errors import UsageError
from .accesses import accesses_of, awaits_of
from .arrivals import FAULTS, FaultKind
from .choices import Chooses, Plan, cost_of
from .conflicts import conflict_in
from .determinism import ADVICE, difference
from .exploration import Exploration, Failure, Label
from .failures import Found, check_invariant
from .fakes import Fake, Fakes
from .mistakes import ReplayMismatch
from .observing import Observation
from .report import told
from .search import Search, smallest
from .sittings import Sitting
from .switching import Points
from .token import Named, Recipe, Replay, first_difference, read_token, write_token
from .tracer import Tracer
from .world import Main, World

Tier = Literal["stock", "any"]
_SCHEDULES = 2_000
_SECONDS = 30.0
_SHOWN_OF_HANG = 2_000  # steps


def explore(
    main: Main,
    *,
    invariant: Callable[..., Any] | None = None,
    schedules: int | None = None,
    seconds: float | None = None,
    overtakings: int = 2,
    faults: int = 0,
    fault_kinds: Collection[FaultKind] = FAULTS,
    fakes: Mapping[Any, Fake] | None = None,
    tier: Tier = "stock",
    points: Points = "gil",
    seed: int = 0,
    steps: int = 100_000,
    token: str | None = None,
) -> Exploration:
    """Run *main* under one order of events after another, until one fails or all within the bounds were run.

    The program runs unchanged, linecook's or plain asyncio's, in virtual time, on a loop whose queue is asyncio's.
    Explored is what a stock loop leaves open: when what comes from outside arrives. To let something arrive while
    nothing is ready costs nothing, in any order; to let it arrive although something is ready costs one *overtaking*.
    Cheap schedules come first, mixed with samples. A failing schedule is made as small as can be found.

    Args:
      main: an async function without arguments, called afresh for each schedule. What it uses must be made in it.
      invariant: a plain function that returns False or raises when something is wrong. Without a parameter it is asked
        after each step, from the first time on that it holds, and at the end; with one, at the end, with main's result.
      schedules: most schedules; None: 2,000, or without a bound when *seconds* is given.
      seconds: most seconds, of real time; None: 30, or without a bound when *schedules* is given.
      overtakings: most of them in one schedule, ≥ 0.
      faults: most faults in one schedule; 0: none.
      fault_kinds: which: ``"raise"``, an await on the outside that fails; ``"hang"``, one that is never answered, and so
        a deadlock where no time-out ends it; ``"late"``, answered after all others; ``"twice"``, a body that is run
        twice; ``"death"`` of a worker process; ``"cancel"`` at some await. All by default.
      fakes: what stands in for tools, models and other async functions, by name or by function: see ``fake``.
      tier: ``"stock"``, what a stock loop can do; ``"any"``: after that, also holding a task's next step back, as
        another loop, an eager task or one more ``await`` would. Such a finding is a warning.
      points: where threads may be interrupted: ``"gil"`` or ``"opcodes"``, as without the GIL.
      seed: of ``random``, ``uuid``, ``secrets`` and ``os.urandom`` in the program, and of the samples.
      steps: most steps in one schedule; beyond that it is said to hang.
      token: of an earlier failure. That schedule is run first; when it doesn't fit the program any more, because the
        program was changed, the search begins anew, and the verdict says so.

    Returns:
      What was searched, and the failure or None. ``explore(main).check()`` raises it.

    Raises:
      UsageError: something here can't be; or an event loop runs in this thread.
      EscapedControl: the program did something real.
      ReplayMismatch: the same decisions led elsewhere: the program depends on something that isn't under control.

    Ideas: stateless search by deviations from a base (VeriSoft, CHESS), delay bounding, random walks.
    """
    _check(overtakings, faults, schedules, seconds, steps)
    _check_words(tier, points)
    _refuse_inside_a_loop()
    check_invariant(invariant)
    if schedules is None and seconds is None:
        schedules, seconds = _SCHEDULES, _SECONDS
    recipe = None if token is None else read_token(token)
    if recipe is not None:
        tier, points = recipe.settings["tier"], recipe.settings["points"]
        fault_kinds = recipe.settings["faults"]
        faults = max(faults, int(bool(fault_kinds)))
        seed = recipe.settings["seed"]
    world = World(main, invariant, most_steps=steps, faults=_kinds(faults, fault_kinds), seed=seed)
    world.fakes = Fakes(fakes, main) if fakes else None
    with Sitting(world, points) as sitting:
        note = ""
        if recipe is not None:
            world.holding = tier == "any"
            replayed = _replayed(world, recipe)
            if isinstance(replayed, Exploration):
                return replayed
            note = f"the token fits the program no more ({replayed}); searched anew: "
            world.holding = False
        search = _Exploring(world, sitting, schedules, seconds, overtakings, faults, points)
        found = search.search("stock", 0.5 if tier == "any" else 1.0)
        if found is None and tier == "any":
            found = search.search("any", 1.0)
        return replace(found or search.nothing(), verdict=note + (found or search.nothing()).verdict)


class _Exploring:
    """One call of ``explore``: the budget and what was searched so far."""

    def __init__(
        self,
        world: World,
        sitting: Sitting,
        schedules: int | None,
        seconds: float | None,
        overtakings: int,
        faults: int,
        points: Points,
    ) -> None:
        self._world = world
        self._sitting = sitting
        self._schedules = schedules
        self._seconds = seconds
        self._overtakings = overtakings
        self._faults = faults
        self._points: Points = points
        self._count = 0
        self._searched: list[tuple[Tier, Search, int]] = []

    def search(self, tier: Tier, share: float) -> Exploration | None:
        """Search *tier* until *share* of the budget is used up; return the failure found, or None."""
        self._world.holding = tier == "any"
        search = Search(self._overtakings, self._faults, self._world.seed)
        before = self._count
        self._searched.append((tier, search, 0))
        for plan in search.plans():
            found = self._run(plan)
            self._count += 1
            if found is not None:
                self._searched[-1] = (tier, search, self._count - before)
                return self._found(plan, found, tier)
            search.learn(plan)
            if self._is_used_up(share):
                break
        self._searched[-1] = (tier, search, self._count - before)
        return None

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
        best = plan
        if found.kind == "hang":  # each takes long, and the last steps are like the first: not made smaller
            self._world.most_steps = min(self._world.most_steps, _SHOWN_OF_HANG)
        else:
            best = smallest(plan, lambda candidate: found.is_like(self._world.run(candidate)))
        failure = _failure(self._world, best, found, self._label(tier, best), self._points, self._count)
        verdict = f"schedule {self._count} failed: {failure.kind}: {failure.message}"
        return Exploration(failure, self._count, verdict, False, self._sitting.seconds())

    def _label(self, tier: Tier, plan: Chooses) -> Label:
        if self._points == "opcodes" and self._sitting.had_threads():
            return "without the GIL"
        if tier == "stock":
            return "shown on the stock loop"
        return "not on the stock loop" if self._searched[0][1].is_exhausted else "not known on the stock loop"

    def nothing(self) -> Exploration:
        """Return that no failure was found, and where."""
        told = [_words(*each, self._overtakings, self._faults) for each in self._searched]
        exhausted = all(search.is_exhausted for _, search, _ in self._searched)
        return Exploration(
            None, self._count, "no failure in " + "; nor in ".join(told), exhausted, self._sitting.seconds()
        )


def _words(tier: Tier, search: Search, count: int, overtakings: int, faults: int) -> str:
    """Say what was searched, and never more."""
    bound = f"at most {overtakings} overtakings" + (f" and {faults} faults" if faults else "")
    if tier == "any":
        bound += " or steps held back"
    schedules = f"{count:,} schedule{'s' * (count != 1)}"
    if search.is_exhausted:
        return f"all {schedules} with {bound}"
    return f"{schedules} ({search.systematic + 1:,} cheapest first, {count - search.systematic - 1:,} sampled) with {bound}, which are not all"


def _failure(world: World, plan: Chooses, found: Found, label: Label, points: Points, count: int) -> Failure:
    """Run the failing schedule once more, noting what happens."""
    tracer = Tracer()
    named = Named(Plan(plan.deviations), tracer)
    with Observation(tracer.here) as observation:
        again = world.run(named, tracer)
    if not found.is_like(again):
        raise ReplayMismatch(
            f"a schedule failed ({found.kind}: {found.message}), and with the same decisions again it "
            + ("did not" if again is None else f"failed otherwise ({again.kind}: {again.message})")
            + f"; {difference(world, plan.deviations)}{ADVICE}"
        )
    assert again is not None
    cost = cost_of(Plan(plan.deviations) if not plan.log else plan)
    settings = {
        "tier": "any" if world.holding else "stock", "points": points, "faults": sorted(world.faults), "seed": world.seed,
    }  # fmt: skip
    token = write_token(Recipe(tuple(named.decisions), tuple(tracer.order), settings))
    failure = Failure(
        again.kind, found.message if again.kind == "hang" else again.message, "", token, label, cost.overtakings, cost.faults, tuple(tracer.steps),
        () if again.loss is None else accesses_of(again.loss), tuple(tracer.waits), again.error,
        () if again.loss is None else awaits_of(again.loss),
    )  # fmt: skip
    conflict = conflict_in(observation.seen, failure.steps)
    if conflict is not None:
        failure = replace(failure, steps=conflict.shown_in(failure.steps, observation.seen))
        failure = replace(failure, accesses=failure.accesses or conflict.accesses)
    return replace(failure, report=told(failure, count, conflict))


def _replayed(world: World, recipe: Recipe) -> Exploration | str:
    """Run the schedule of a token; return what came of it, or why it doesn't fit."""
    tracer = Tracer()
    plan = Replay(recipe.decisions, tracer)
    found = world.run(plan, tracer)
    if found is None:
        if plan.left:
            difference = first_difference(recipe.order, tracer.order)
            return f"{len(plan.left)} of its {len(recipe.decisions)} decisions can't be met; {difference}"
        return Exploration(None, 1, "no failure in the schedule of the token", False)
    label: Label = "shown on the stock loop" if not world.holding else "not known on the stock loop"
    failure = _failure(world, Plan(plan.deviations), found, label, recipe.settings["points"], 1)
    cost = cost_of(plan)
    failure = replace(failure, overtakings=cost.overtakings, faults=cost.faults)
    return Exploration(
        replace(failure, report=told(failure, 1)), 1, f"the token's schedule failed: {failure.kind}", False
    )


def replay(
    main: Main,
    token: str,
    *,
    invariant: Callable[..., Any] | None = None,
    fakes: Mapping[Any, Fake] | None = None,
) -> Exploration:
    """Run the one schedule of *token*, strictly; the other arguments are those of ``explore`` when it was found.

    Raises:
      ReplayMismatch: the schedule doesn't fit the program; names the first step that differs.
      UsageError: *token* is none.
    """
    _refuse_inside_a_loop()
    check_invariant(invariant)
    recipe = read_token(token)
    settings = recipe.settings
    world = World(
        main, invariant, faults=_kinds(1, settings["faults"]), holding=settings["tier"] == "any", seed=settings["seed"]
    )
    world.fakes = Fakes(fakes, main) if fakes else None
    with Sitting(world, settings["points"]):
        result = _replayed(world, recipe)
    if isinstance(result, str):
        raise ReplayMismatch(f"the token doesn't fit this program: {result}")
    return result


def _kinds(faults: int, kinds: Collection[FaultKind]) -> frozenset[FaultKind]:
    unknown = set(kinds) - FAULTS
    if unknown or isinstance(kinds, str):
        raise UsageError(f"explore's fault_kinds must be some of {sorted(FAULTS)}, not {kinds!r}")
    return frozenset(kinds) if faults else frozenset()


def _check(overtakings: int, faults: int, schedules: int | None, seconds: float | None, steps: int) -> None:
    for name, value, least in (("overtakings", overtakings, 0), ("faults", faults, 0), ("steps", steps, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"explore's {name} must be a whole number of {least} or more, not {value!r}")
    if schedules is not None and (isinstance(schedules, bool) or not isinstance(schedules, int) or schedules < 1):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"explore's schedules must be a whole number of 1 or more, or None, not {schedules!r}")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"explore's seconds must be above 0, or None, not {seconds!r}")


def _check_words(tier: str, points: str) -> None:
    for name, word, known in (("tier", tier, get_args(Tier)), ("points", points, get_args(Points))):
        if word not in known:
            raise ValueError(f"explore's {name} must be one of {', '.join(map(repr, known))}, not {word!r}")


def _refuse_inside_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "explore runs event loops of its own and can't be called inside a running one: call it from a plain def test, "
        "not from an async def"
    )
