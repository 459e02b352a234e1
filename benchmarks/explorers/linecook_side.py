"""linecook: one setting for all programs, but for what a program's row asks for: faults, or the tier "any"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import ModuleType

from benchmarks.explorers.side import SCHEDULES, SECONDS, Tried
from tests.histories.expected import BUGS, CONTROLS


def tries(name: str, program: ModuleType) -> Iterator[Tried]:
    """Search *program* with the defaults, in the tier that its row names."""
    from linecook.testing import explore

    bug = BUGS.get(name)
    faults = bug.faults if bug else CONTROLS.get(name, 0)
    tier = bug.tier if bug else "stock"
    began = time.monotonic()
    found = explore(
        program.main,
        invariant=getattr(program, "invariant", None),
        schedules=SCHEDULES,
        seconds=SECONDS,
        faults=faults,
        tier=tier,
    )
    seconds = time.monotonic() - began
    failure = found.failure
    if failure is None:
        yield Tried("defaults", "nothing found", found.schedules, seconds, found.verdict)
        return
    expected = bug is None or failure.kind in bug.kinds
    words = f"{failure.kind}, {failure.overtakings} overtakings, {failure.faults} faults, {failure.label}"
    yield Tried("defaults", "found" if expected else "something else", found.schedules, seconds, words)
