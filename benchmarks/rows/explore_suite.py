"""The programs of tests/histories, each searched with the defaults: what is found, at what cost, how labelled."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

MOST = 2_000
PATIENCE = 5_000.0  # virtual seconds after which a plain run that has not ended counts as stuck
LATENCIES = (0.1, 1.0, 2.0, 5.0, 6.0, 12.0, 31.0)  # around the time-outs of the programs


@dataclass(frozen=True, slots=True)
class Found:
    """What was said about one program; of the right ones ``found`` is a false alarm."""

    name: str
    found: bool
    schedules: int = 0
    cheapest: bool = True
    labelled: bool = True
    again: bool = True


row = Row(
    title="80 programs with a known bug and 27 that are right, searched",
    base="repeated",
    full={"repeats": 100, "every": 1},
    quick={"repeats": 2, "every": 9},
    targets=(
        Target("found", 1.0, 1.0, says="share of the bugs found within 2,000 schedules"),
        Target("most_schedules", 2_000, 500, at_most=True, says="most schedules for one bug"),
        Target("seconds", 30.0, 10.0, at_most=True, says="seconds for all bugs, shrinking and reports included"),
        Target("false_alarms", 0, 0, at_most=True, says="false alarms in the right programs"),
        Target("cheapest", 1.0, 1.0, says="share shrunk to the fewest overtakings and faults"),
        Target("labelled", 1.0, 1.0, says="share with the right label"),
    ),
    columns=("found", "most_schedules", "seconds", "false_alarms"),
    time_limit=300.0,
)


def programs(every: int) -> tuple[list[str], list[str]]:
    """Return the names of the programs: every so many bugs, and all that are right."""
    from tests.histories.expected import BUGS, CONTROLS

    return list(BUGS)[::every], list(CONTROLS)[::every]


@row.verify
def check(answers: list[Found], repeats: int, every: int) -> str | None:
    """Every program was looked at, and every finding failed again from its token."""
    bugs, rights = programs(every)
    named = [one.name for one in answers]
    if named != bugs + rights:
        return f"{len(named)} programs were looked at, where there are {len(bugs) + len(rights)}"
    lost = [one.name for one in answers if one.found and not one.again]
    return f"the token of {lost[0]} doesn't show its failure again" if lost else None


def note(meter: Meter, answers: Iterable[Found], bugs: int, seconds: float) -> None:
    """Work out the figures."""
    answers = list(answers)
    buggy, right = answers[:bugs], answers[bugs:]
    meter.note(
        found=sum(one.found for one in buggy) / bugs,
        most_schedules=max(one.schedules for one in buggy),
        seconds=seconds,
        false_alarms=sum(one.found for one in right),
        cheapest=sum(one.found and one.cheapest for one in buggy) / bugs,
        labelled=sum(one.found and one.labelled for one in buggy) / bugs,
    )
    meter.answer(answers)


@row.linecook
def linecook(meter: Meter, repeats: int, every: int) -> None:
    from tests.histories.expected import load_bug, load_control

    bugs, rights = programs(every)
    loaded = {name: load_bug(name) for name in bugs}
    with meter.timing():
        began = time.perf_counter()
        searched = [_search(name, loaded[name]) for name in bugs]
        seconds = time.perf_counter() - began
        searched += [_look(name, load_control(name)) for name in rights]
    note(meter, searched, len(bugs), seconds)


def _search(name: str, program: ModuleType) -> Found:
    from linecook.testing import explore, replay
    from tests.histories.expected import BUGS

    bug, invariant = BUGS[name], getattr(program, "invariant", None)
    found = explore(program.main, invariant=invariant, schedules=MOST, faults=bug.faults, tier=bug.tier)
    failure = found.failure
    if failure is None or failure.kind not in bug.kinds:
        return Found(name, found=False, schedules=found.schedules)
    return Found(
        name,
        found=True,
        schedules=found.schedules,
        cheapest=(failure.faults, failure.overtakings) == (bug.faults, bug.overtakings),
        labelled=failure.label == bug.label,
        again=replay(program.main, failure.token, invariant=invariant).failure is not None,
    )


def _look(name: str, program: ModuleType) -> Found:
    from linecook.testing import explore
    from tests.histories.expected import CONTROLS

    return Found(name, found=explore(program.main, schedules=MOST, faults=CONTROLS[name]).failure is not None)


@row.stdlib
def repeated(meter: Meter, repeats: int, every: int) -> None:
    """Run each program again and again on asyncio's own loop, in virtual time, its calls with drawn latencies.

    Programs with threads are left out, for one that deadlocks would keep this process; they count as not found.
    """
    from tests.histories.expected import load_bug, load_control

    bugs, rights = programs(every)
    loaded = [load_bug(name) for name in bugs] + [load_control(name) for name in rights]
    dice, answers = random.Random(1), list[Found]()
    with meter.timing():
        began = time.perf_counter()
        for name, program in zip(bugs + rights, loaded, strict=True):
            has_threads = hasattr(program, "threading") or "thread" in name or name.startswith("linecook")
            failed = None if has_threads else _repeat(program, repeats, dice)
            answers.append(Found(name, found=failed is not None, schedules=failed or 0))
        seconds = time.perf_counter() - began
    note(meter, answers, len(bugs), seconds)


def _repeat(program: ModuleType, repeats: int, dice: random.Random) -> int | None:
    async def drawn(value: Any = None) -> Any:
        await asyncio.sleep(dice.choice(LATENCIES))
        return value

    if hasattr(program, "outside"):
        program.outside = drawn  # type: ignore[attr-defined]
    for number in range(1, repeats + 1):
        if _fails(program):
            return number
    return None


def _fails(program: ModuleType) -> bool:
    from linecook.testing import VirtualClock

    async def bounded() -> None:
        # Failures that nobody reads, and tasks left behind, are no failure of a plain run: there they pass in silence.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await asyncio.wait_for(program.main(), PATIENCE)

    try:
        VirtualClock().run(bounded())
    except Exception:
        return True
    invariant = getattr(program, "invariant", None)
    return invariant is not None and not invariant()
