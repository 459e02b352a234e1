"""What every explorer of the comparison is given, and what it hands back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

SCHEDULES = 2_000
"""Schedules for each setting."""
SECONDS = 5.0
"""Seconds for each setting: slow ones are cut off here."""

LATENCIES = (0.1, 1.0, 2.0, 5.0, 6.0, 12.0, 31.0)
"""What a call may take, for the explorers in which a call takes virtual time: around the time-outs of the programs."""

Verdict = Literal["found", "nothing found", "a run hung", "claims there is none", "something else", "doesn't run"]


@dataclass(frozen=True, slots=True)
class Tried:
    """What one setting of one explorer said about one program.

    Attributes:
      verdict: ``found``: the bug, or in a right program a false alarm. ``a run hung``: it gave a run up by the clock on
        the wall, and draws no conclusion. ``claims there is none``: the explorer's own words for a proof. ``something
        else``: it failed with what isn't this program's bug. ``doesn't run``: refused.
      schedules: run until then.
      words: what it said, in short.
    """

    setting: str
    verdict: Verdict
    schedules: int
    seconds: float
    words: str = ""


Outside = Callable[..., Awaitable[Any]]


def main_of(program: ModuleType, outside: Outside) -> Callable[[], Awaitable[None]]:
    """Return the program's ``main`` with *outside* for its tool calls; its invariant is looked at when main ends."""
    if hasattr(program, "outside"):
        program.outside = outside  # type: ignore[attr-defined]

    async def main() -> None:
        await program.main()
        invariant = getattr(program, "invariant", None)
        assert invariant is None or invariant(), "the invariant doesn't hold"

    return main


async def hop(value: Any = None) -> Any:
    """Stand for a call by one trip round the loop."""
    await asyncio.sleep(0)
    return value
