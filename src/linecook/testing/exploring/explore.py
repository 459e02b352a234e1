"""``explore``: run a program under every order of events that can happen, cheapest first, until one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, get_args

from ..._core.errors import UsageError
from .exploration import Exploration
from .failures import check_invariant
from .fakes import Fake, Fakes
from .loop.arrivals import FAULTS, FaultKind
from .mistakes import ReplayMismatch
from .sealing.sittings import Sitting
from .search.progress import Progress, Watcher
from .search.searching import Searching, Tier
from .telling.finding import replayed
from .telling.token import read_token
from .threads.switching import Points
from .world import Main, World

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
    fault_kinds: Collection[FaultKind] = FAULTS,
    fakes: Mapping[Any, Fake] | None = None,
    tier: Tier = "stock",
    points: Points = "gil",
    seed: int = 0,
    steps: int = 100_000,
    token: str | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Exploration:
    """Run *main* under one order of events after another, until one fails or all within the bounds were run.

    The program runs unchanged, linecook's or plain asyncio's, in virtual time, on a loop whose queue is asyncio's.
    Explored is what a stock loop leaves open: when what comes from outside arrives. To let something arrive while
    nothing is ready costs nothing, in any order; to let it arrive although something is ready costs one *overtaking*.
    Cheap schedules come first, mixed with samples. A failing schedule is made as small as can be found.

    Args:
      main: an async function without arguments, called afresh for each schedule. What it uses must be made in it.
      invariant: a plain function that returns False or raises where something is wrong. Without a parameter it's asked
        after each step, from the first time on that it holds, and at the end; with one, at the end, with main's result.
      schedules: most schedules; None: 2,000, or without a bound when *seconds* is given.
      seconds: most seconds, of real time; None: 30, or without a bound when *schedules* is given.
      overtakings: most of them in one schedule, ≥ 0.
      faults: most faults in one schedule; 0: none.
      fault_kinds: which: ``"raise"``, an await on the outside that fails; ``"hang"``, one that is never answered: a
        deadlock where no time-out ends it; ``"late"``, answered after all others; ``"twice"``, a body that is run
        twice; ``"death"`` of a worker process; ``"cancel"`` at some await. All by default; none: only what *fakes* may
        do.
      fakes: what stands in for tools, models and other async functions, by name or by function: see ``fake``.
      tier: ``"stock"``, what a stock loop can do; ``"any"``: after that, also holding a task's next step back, as
        another loop, an eager task or one more ``await`` would. Such a finding is a warning.
      points: where threads may be interrupted: ``"gil"`` or ``"opcodes"``, as without the GIL.
      seed: of ``random``, ``uuid``, ``secrets`` and ``os.urandom`` in the program, and of the samples.
      steps: most steps in one schedule; beyond that it is said to hang.
      token: of an earlier failure. That schedule is run first; when it doesn't fit the program any more, because the
        program was changed, the search begins anew, and the verdict says so.
      on_progress: called between two schedules with a ``Progress``, at most ten times in a second.

    Returns:
      What was searched, and the failure or None. ``explore(main).check()`` raises it. Ctrl-C ends the search after the
      schedule that runs, and what was searched until then is returned, ``interrupted``; a second Ctrl-C is raised.

    Raises:
      UsageError: something here can't be; or an event loop runs in this thread.
      EscapedControl: the program did something real.
      ReplayMismatch: the same decisions led elsewhere: the program depends on something that isn't under control, or
        carries state from one schedule to the next: after a search that found nothing the plain schedule is run again,
        and must make the same steps. The first that differs is named.

    Ideas: stateless search by deviations from a base (VeriSoft, CHESS), delay bounding; samples by random walks, by
    priorities of the parties (PCT: Burckhardt et al., 2010), and by drawn latencies.
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
    world = World(main, invariant, most_steps=steps, faults=_kinds(faults, fault_kinds), points=points, seed=seed)
    world.fakes = Fakes(fakes, main, misbehave=faults > 0 or recipe is not None) if fakes else None
    with Sitting(world) as sitting:
        watcher = Watcher(on_progress, sitting.seconds)
        note = ""
        if recipe is not None:
            world.holding = tier == "any"
            result = replayed(world, recipe)
            if isinstance(result, Exploration):
                return result
            note = f"the token fits the program no more ({result}); searched anew: "
        search = Searching(world, sitting, schedules, seconds, overtakings, faults, watcher)
        found = search.search("stock", 0.5 if tier == "any" else 1.0)
        if found is None and tier == "any" and not sitting.interrupted:
            found = search.search("any", 1.0)
        found = found or search.nothing()
        return replace(found, verdict=note + found.verdict)


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
    faults = _kinds(1, settings["faults"])
    holding = settings["tier"] == "any"
    world = World(main, invariant, faults=faults, holding=holding, points=settings["points"], seed=settings["seed"])
    world.fakes = Fakes(fakes, main, misbehave=True) if fakes else None
    with Sitting(world):
        result = replayed(world, recipe)
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
