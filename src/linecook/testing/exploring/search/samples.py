"""Samples: schedules drawn at random, within the bounds, for what the cheapest ones come to late.

Three ways to draw the order in which things arrive, each good where the others are not: ``Walk`` is fair at every
point, ``Priorities`` lets one party run far ahead of another, ``Latencies`` keeps a slow service slow. What costs an
overtaking or a fault is drawn alike in all three.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from ..loop.arrivals import Answer
from ..loop.tasks import ExploredTask
from .choices import Deviation, Offer

LATENCIES = (0.1, 1.0, 2.0, 5.0, 6.0, 12.0, 31.0)  # most are quick, and a few take as long as all the others together
SPEEDS = (0.2, 1.0, 5.0)  # of a party
FAIR = 20  # times in a row that a party may be passed over


class Sample:
    """Decides at random, within bounds.

    Args:
      dice: one for all samples of a search: to seed one for each would cost as much as a small schedule.
      overtakings: most overtakings.
      faults: most faults.
      length: how many points of choice a run has, about; overtakings and faults are spread over these.
    """

    __slots__ = ("_dice", "_faults", "_left", "_rate", "deviations", "log")

    def __init__(self, dice: random.Random, overtakings: int, faults: int, length: int) -> None:
        self._dice = dice.random
        self._left = int(self._dice() * (overtakings + 1))
        self._faults = int(self._dice() * (faults + 1))
        self._rate = (self._left + self._faults + 0.5) / max(length, 2)
        self.deviations: list[Deviation] = []
        self.log: list[Offer] = []

    def pick(self, options: Sequence[Any], free: int, faults: int) -> int:
        overtaking = len(options) - 1 - free - faults
        self.log.append((free, overtaking, faults))
        option, dice = 0, self._dice
        if self._left and overtaking and dice() < self._rate:
            self._left -= 1
            option = 1 + free + int(dice() * overtaking)
        elif self._faults and faults and dice() < self._rate:
            self._faults -= 1
            option = 1 + free + overtaking + int(dice() * faults)
        elif free:
            option = self._free(options, free + 1)
        if option:
            self.deviations.append((len(self.log) - 1, option))
        return option

    def _free(self, options: Sequence[Any], count: int) -> int:
        """Return which of the first *count* options happens: these cost nothing."""
        raise NotImplementedError


class Walk(Sample):
    """Draws anew at each point; a share of the choices, *sticky* from 0 to 1, follows the default."""

    __slots__ = ("_sticky",)

    def __init__(self, dice: random.Random, overtakings: int, faults: int, length: int, sticky: float) -> None:
        super().__init__(dice, overtakings, faults, length)
        self._sticky = sticky

    def _free(self, options: Sequence[Any], count: int) -> int:
        dice = self._dice
        return int(dice() * count) if dice() >= self._sticky else 0


class ByParty(Sample):
    """Ranks what is open by whose it is; the lowest rank goes first, and nobody is passed over for ever.

    Who polls until somebody else is through would go on for ever, if it went first for ever: whoever was passed over
    ``FAIR`` times in a row has its turn (Musuvathi and Qadeer, "Fair Stateless Model Checking", PLDI 2008).
    """

    __slots__ = ("_passed",)

    def __init__(self, dice: random.Random, overtakings: int, faults: int, length: int) -> None:
        super().__init__(dice, overtakings, faults, length)
        self._passed: dict[int | str, int] = {}

    def _free(self, options: Sequence[Any], count: int) -> int:
        options = options[:count]
        parties = [party_of(option) for option in options]
        ranks, passed = self._ranks(options, parties), self._passed
        picked = ranks.index(min(ranks))
        for party in dict.fromkeys(parties):
            if party == parties[picked]:
                passed[party] = 0
            else:
                passed[party] = before = passed.get(party, 0) + 1
                if before > FAIR:
                    picked, passed[party] = parties.index(party), 0
                    break
        self._happens(options[picked])
        return picked

    def _ranks(self, options: Sequence[Any], parties: Sequence[int | str]) -> list[float]:
        """Return the rank of each of *options*, which are those of *parties*."""
        raise NotImplementedError

    def _happens(self, option: Any) -> None:
        """Note that *option* happens."""


class Priorities(ByParty):
    """Gives each party a priority; the highest goes first, and at each of *changes* points falls below all others.

    Burckhardt, Kothari, Musuvathi and Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding
    Bugs" (ASPLOS 2010): an order that needs d - 1 such points is met with a probability that only falls with the number
    of parties and of points, not with that of all orders.
    """

    __slots__ = ("_changes", "_lowest", "_priorities")

    def __init__(self, dice: random.Random, overtakings: int, faults: int, length: int, changes: int) -> None:
        super().__init__(dice, overtakings, faults, length)
        self._changes = {1 + int(self._dice() * length) for _ in range(changes)}
        self._priorities: dict[int | str, float] = {}  # the highest is the lowest number
        self._lowest = 1.0

    def _ranks(self, options: Sequence[Any], parties: Sequence[int | str]) -> list[float]:
        priorities = self._priorities
        for party in parties:
            if party not in priorities:
                priorities[party] = self._dice()
        if len(self.log) in self._changes:
            self._lowest += 1
            priorities[min(parties, key=priorities.__getitem__)] = self._lowest
        return [priorities[party] for party in parties]


class Latencies(ByParty):
    """Gives each party a speed, and what it asks for a latency; what is due first comes first.

    As a program is tried by hand against services with drawn latencies: an answer that is slow stays under way while
    many others come and go. Timers and the next steps of threads are drawn like answers.
    """

    __slots__ = ("_clock", "_due", "_speeds")

    def __init__(self, dice: random.Random, overtakings: int, faults: int, length: int) -> None:
        super().__init__(dice, overtakings, faults, length)
        self._clock = 0.0
        self._due: dict[Any, float] = {}
        self._speeds: dict[int | str, float] = {}

    def _ranks(self, options: Sequence[Any], parties: Sequence[int | str]) -> list[float]:
        due, dice, speeds = self._due, self._dice, self._speeds
        for option, party in zip(options, parties, strict=True):
            if option not in due:
                if party not in speeds:
                    speeds[party] = SPEEDS[int(dice() * len(SPEEDS))]
                due[option] = self._clock + LATENCIES[int(dice() * len(LATENCIES))] * speeds[party]
        return [due[option] for option in options]

    def _happens(self, option: Any) -> None:
        self._clock = max(self._clock, self._due.pop(option))  # its next step, or the next timer, is drawn anew


def party_of(option: Any) -> int | str:
    """Return whose *option* is, the same in every run: the number of the task that waits for an answer, …

    Read from the future, not noted when it is asked for: a search asks a million times, and few of these are samples.
    """
    if option.__class__ is Answer:
        for callback, _ in option.future._callbacks or ():
            owner: Any = getattr(callback, "__self__", None)
            if isinstance(owner, ExploredTask):
                return owner.number
        return -1
    return str(getattr(option, "what", type(option).__name__))  # a thread's name; "Timer"; what is ready


def sample(number: int, dice: random.Random, overtakings: int, faults: int, length: int) -> Sample:
    """Return sample *number*, from 1, of a search; the other arguments are those of ``Sample``."""
    way, turn = number % 3, number // 3
    if way == 1:
        return Latencies(dice, overtakings, faults, length)
    if way == 2:
        return Priorities(dice, overtakings, faults, length, turn % 3)
    return Walk(dice, overtakings, faults, length, (0.0, 0.0, 0.5, 0.75)[turn % 4])
