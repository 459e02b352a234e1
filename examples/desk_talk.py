"""What the agents of the desk know, and what they say to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from desk_ledger import Ledger, Progress
from desk_plan import Plan, Result
from desk_rules import Finding

from linecook import Ask, Topic

__all__ = ["Desk", "Edit", "News", "Review"]


@dataclass(frozen=True, slots=True)
class Edit(Ask[Progress]):
    """To the editor: have these packages reviewed, and publish what is found; the answer says how far it came."""

    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Review(Ask[Finding]):
    """To a reviewer: look through this package; the answer comes in pieces."""

    package: str


@dataclass(frozen=True, slots=True)
class News:
    """To whoever listens: a finding, and its number, from 1."""

    number: int
    finding: Finding


@dataclass(eq=False, repr=False)
class Desk:
    """What every agent of the desk needs to know.

    Attributes:
      base: address of the source server.
      show: is handed each finding, on a thread.
      tick: is handed how far the desk is, on a thread; not every step, when it is slow.
      finish: is handed the result, when all findings have been shown.
      within: seconds for all of it; what isn't done then is lost.
      kill_every: seconds from the killing of one reviewer to the next; 0: none is killed.
      seed: of the killer's choice.
    """

    base: str
    plan: Plan
    show: Callable[[Finding], None]
    tick: Callable[[Progress], None]
    finish: Callable[[Result], None] = lambda result: None
    within: float = 600.0
    kill_every: float = 1.0
    seed: int = 7
    news: Topic[News] = field(default_factory=lambda: Topic[News]("news"))
    at_work: dict[int, asyncio.Task[Any]] = field(default_factory=dict[int, asyncio.Task[Any]])

    @cached_property
    def ledger(self) -> Ledger:
        """The same over all restarts."""
        return Ledger(self.plan)
