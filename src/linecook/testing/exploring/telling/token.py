"""Tokens: one schedule as a line of text that another process, with another hash seed, can run again.

A decision is kept as what it departed from and what it took, both by name: "before the sixth step of the third task
that main made, the second thing that main's first task asked for". So a token outlives small changes of the program;
where a decision can't be met any more, the first step that differs is named.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...._core.errors import UsageError
from ..search.choices import Chooses, Deviation, Offer
from .tracer import Tracer

_MARK = "lc1."
_MOST_STEPS = 2_000

Decision = tuple[str, str]
"""Name of the point of choice, and of the option taken there."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a token says.

    Attributes:
      decisions: where the schedule departs from the default, in order.
      order: the paths of the tasks that made the steps, as far as kept.
      settings: the arguments of ``explore`` that shape a schedule, and what sort of failure it was.
    """

    decisions: tuple[Decision, ...]
    order: tuple[str, ...]
    settings: dict[str, Any]


def write_token(recipe: Recipe) -> str:
    """Return *recipe* as one line."""
    paths = list(dict.fromkeys(recipe.order[:_MOST_STEPS]))
    numbers = [paths.index(path) for path in recipe.order[:_MOST_STEPS]]
    data = json.dumps([recipe.decisions, paths, numbers, recipe.settings], separators=(",", ":"))
    return _MARK + base64.urlsafe_b64encode(zlib.compress(data.encode(), 9)).decode().rstrip("=")


def read_token(token: str) -> Recipe:
    """Return what *token* says.

    Raises:
      UsageError: it is none of ours, or was damaged.
    """
    try:
        if not token.startswith(_MARK):
            raise ValueError("it doesn't begin with " + _MARK)
        text = token.strip()[len(_MARK) :]
        data = zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        decisions, paths, numbers, settings = json.loads(data)
        return Recipe(
            tuple((str(where), str(what)) for where, what in decisions),
            tuple(str(paths[number]) for number in numbers),
            dict(settings),
        )
    except (ValueError, TypeError, KeyError, IndexError, zlib.error) as error:
        raise UsageError(f"{token[:40]!r}… is no token of explore: {error}. Copy it whole from the report") from None


class Named:
    """Chooses as another plan does, and keeps each decision by name.

    Args:
      plan: who chooses.
      tracer: who knows the names.
    """

    def __init__(self, plan: Chooses, tracer: Tracer) -> None:
        self._plan = plan
        self._tracer = tracer
        self.decisions: list[Decision] = []

    @property
    def log(self) -> list[Offer]:
        return self._plan.log

    @property
    def deviations(self) -> Sequence[Deviation]:
        return self._plan.deviations

    def pick(self, options: Sequence[Any], free: int, faults: int) -> int:
        picked = self._plan.pick(options, free, faults)
        if picked:
            self.decisions.append((self._tracer.anchor(options), self._tracer.name(options[picked])))
        self._tracer.chose(options, picked, free < picked < len(options) - faults)
        return picked


class Replay:
    """Chooses what the decisions of a token say, and the default everywhere else.

    Attributes:
      left: decisions not met yet.
    """

    def __init__(self, decisions: Sequence[Decision], tracer: Tracer) -> None:
        self.left = list(decisions)
        self._tracer = tracer
        self.log: list[Offer] = []
        self.deviations: list[Deviation] = []

    def pick(self, options: Sequence[Any], free: int, faults: int) -> int:
        self.log.append((free, len(options) - 1 - free - faults, faults))
        picked = self._met(options)
        if picked:
            del self.left[0]
            self.deviations.append((len(self.log) - 1, picked))
        self._tracer.chose(options, picked, free < picked < len(options) - faults)
        return picked

    def _met(self, options: Sequence[Any]) -> int:
        if not self.left or self._tracer.anchor(options) != self.left[0][0]:
            return 0
        names = [self._tracer.name(option) for option in options]
        return names.index(self.left[0][1]) if self.left[0][1] in names else 0


def first_difference(order: Sequence[str], now: Sequence[str]) -> str:
    """Say in words which step is the first to differ between what a token tells and what happened; empty: none does."""
    now = now[:_MOST_STEPS]
    for at, (before, after) in enumerate(zip(order, now, strict=False)):
        if before != after:
            return f"step {at + 1} is one of task {after}, where the token has one of task {before}"
    if len(order) != len(now):
        return f"the program makes {len(now)} steps, where the token has {len(order)}"
    return ""
