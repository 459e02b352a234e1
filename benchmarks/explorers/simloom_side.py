"""simloom (https://github.com/mandipadk/simloom): its samplers and its systematic mode, with two stand-ins for a call.

A call is a trip round the loop, or it takes virtual time that simloom itself draws.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from benchmarks.explorers.side import LATENCIES, SCHEDULES, SECONDS, Outside, Tried, Verdict, hop, main_of

SAMPLERS = ("random", "pct:auto")
DELAYS = (2, 3)
AT_ONCE = 50  # seeds between two looks at the clock; pct:auto measures the program once for them


def tries(name: str, program: ModuleType) -> Iterator[Tried]:
    """Search *program* with every setting."""
    stand_ins: dict[str, Outside] = {"hops": hop, "latencies": _drawn} if hasattr(program, "outside") else {"": hop}
    for stand_in, outside in stand_ins.items():
        for sampler in SAMPLERS:
            yield _sampled(f"{sampler} {stand_in}".strip(), sampler, program, outside)
        for delays in DELAYS:
            yield _systematic(f"systematic, {delays} delays {stand_in}".strip(), delays, program, outside)


async def _drawn(value: Any = None) -> Any:
    import simloom

    await asyncio.sleep(LATENCIES[simloom.draw("latency", len(LATENCIES))])
    return value


def _sampled(setting: str, sampler: str, program: ModuleType, outside: Outside) -> Tried:
    import simloom

    main, began, runs = main_of(program, outside), time.monotonic(), 0
    while runs < SCHEDULES and time.monotonic() < began + SECONDS:
        found = simloom.explore(main, runs=AT_ONCE, start_seed=runs, scheduler=sampler)
        runs += found.runs
        if found.failed:
            return _found(setting, found.failures[0], runs, time.monotonic() - began)
    return Tried(setting, "nothing found", runs, time.monotonic() - began)


class TimeUp(Exception):
    """Ends a search that has no bound on its seconds."""


def _systematic(setting: str, delays: int, program: ModuleType, outside: Outside) -> Tried:
    import simloom

    main, began = main_of(program, outside), time.monotonic()

    async def bounded() -> None:
        if time.monotonic() > began + SECONDS:
            raise TimeUp
        await main()

    found = simloom.explore_systematic(bounded, max_delays=delays, max_schedules=SCHEDULES)
    seconds = time.monotonic() - began
    if found.failed and found.failures[0].error != "TimeUp":
        return _found(setting, found.failures[0], found.schedules, seconds)
    if found.proven_correct:
        return Tried(setting, "claims there is none", found.schedules, seconds, "proven_correct")
    return Tried(setting, "nothing found", found.schedules, seconds)


def _found(setting: str, failure: Any, schedules: int, seconds: float) -> Tried:
    return Tried(setting, _verdict(failure.error), schedules, seconds, f"{failure.error}: {failure.message}"[:200])


def _verdict(error: str) -> Verdict:
    if "Escaped" in error or error == "NotImplementedError":
        return "doesn't run"
    return "something else" if "Nondeterminism" in error or "Livelock" in error else "found"
