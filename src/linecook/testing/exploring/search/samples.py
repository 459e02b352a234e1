"""Samples: schedules drawn at random, within the bounds, for what the cheapest ones come to late.

Three ways to draw the order in which things arrive, each good where the others are not: ``Walk`` is fair at every
point, ``Priorities`` lets one party run far ahead of another, ``Latencies`` keeps a slow service slow. What costs an
overtaking or a fault is drawn alike in all three.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from ..loop.arrivals import Answer
from .choices import Deviation, Offer

LATENCIES = (0.1, 1.0, 2.0, 5.0, 6.0, 12.0, 31.0)  # most are quick, and a few take as long as all the others together
SPEEDS = (0.2, 1.0, 5.0)  # of a party
FAIR = 20  # choices in a row that one party may win: who polls until somebody else is through would else go on for ever


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


class Priorities(Sample):
    """Gives each party a priority; the highest goes first, and at each of *changes* points falls below all others.

    Burckhardt, Kothari, Musuvathi and Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding
    Bugs" (ASPLOS 2010): an order that needs d - 1 such points is met with a probability that only falls with the number
    of parties and of points, not with that of all orders. A party that has gone first ``FAIR`` times in a row falls as
    well (Musuvathi and Qadeer, "Fair Stateless Model Checking", PLDI 2008).
    """

    __slots__ = ("_changes", "_in_a_row", "_latest", "_lowest", "_priorities")

    def __init__(self, dice: random.Random, overtakings: int, faults: int, length: int, changes: int) -> None:
        super().__init__(dice, overtakings, faults, length)
        self._changes = {1 + int(self._dice() * length) for _ in range(changes)}
        self._priorities: dict[int | str, float] = {}
        self._lowest = 0.0
        self._latest: int | str = ""
        self._in_a_row = 0

    def _free(self, options: Sequence[Any], count: int) -> int:
        parties = [party_of(option) for option in options[:count]]
        priorities = self._priorities
        for party in parties:
            if party not in priorities:
                priorities[party] = self._dice()
        first = max(parties, key=priorities.__getitem__)
        self._in_a_row = self._in_a_row + 1 if first == self._latest else 1
        if len(self.log) in self._changes or self._in_a_row > FAIR:
            self._lowest -= 1
            priorities[first] = self._lowest
            first = max(parties, key=priorities.__getitem__)
            self._in_a_row = 1
        self._latest = first
        return parties.index(first)


class Latencies(Sample):
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

    def _free(self, options: Sequence[Any], count: int) -> int:
        due, dice, speeds = self._due, self._dice, self._speeds
        for option in options[:count]:
            if option not in due:
                party = party_of(option)
                if party not in speeds:
                    speeds[party] = SPEEDS[int(dice() * len(SPEEDS))]
                due[option] = self._clock + LATENCIES[int(dice() * len(LATENCIES))] * speeds[party]
        moments = [due[option] for option in options[:count]]
        self._clock = min(moments)
        picked = moments.index(self._clock)
        del due[options[picked]]  # a thread's next step, and the next timer, are drawn anew
        return picked


def party_of(option: Any) -> int | str:
    """Return whose *option* is, the same in every run: the number of the task that waits for an answer, …

    Read from the future, not noted when it is asked for: a search asks a million times, and few of these are samples.
    """
    if option.__class__ is Answer:
        for callback, _ in option.future._callbacks or ():
            owner: Any = getattr(callback, "__self__", None)
            if isinstance(owner, asyncio.Task):
                return int(getattr(owner, "number", -1))
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
