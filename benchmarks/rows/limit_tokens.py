"""Agents that share a million tokens a minute: never over in any 60 s, and how much of it is used.

In virtual time. A call takes 2 s, reserves the most it may use, and uses a third of that to all of it (seeded). Every
window of 60 s is looked at twice: as if a call's tokens counted when it began, and as if they counted when it ended.
``linecook_low_estimates`` says a third of the most instead: too low by up to three times, and nobody tells it.
"""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

TOKENS_A_MINUTE = 1_000_000
MOST = 6_000  # tokens of one call
CALL_S = 2.0
LOW = "linecook_low_estimates"

row = Row(
    title="500 agents on 1M tokens a minute, calls of 2 s that reserve their maximum, virtual time",
    base="bucket_with_refunds",
    full={"agents": 500, "minutes": 20},
    quick={"agents": 500, "minutes": 3},
    targets=(
        Target("peak", 1.0, 1.0, at_most=True, says="largest use of any 60 s, of the limit"),
        Target("used", 0.90, 0.93, says="used, of the limit"),
        Target("over", 1.0, 1.0, of=LOW, at_most=True, says="low estimates: over, of what was in flight"),
        Target("peak_later", 1.0, 1.0, of=LOW, at_most=True, says="low estimates: peak after the first window"),
    ),
    columns=("peak", "peak_later", "used", "over"),
    time_limit=120.0,
)  # fmt: skip

Ask = Callable[[int], Awaitable[None]]


@dataclass
class Log:
    """When each call began and ended, and what it used."""

    calls: list[tuple[float, float, int]] = field(default_factory=list[tuple[float, float, int]])

    def peaks(self) -> tuple[float, float]:
        """Return the largest use of any window, and of those that begin after the first minute, of the limit."""
        ways = [sorted((call[place], call[2]) for call in self.calls) for place in (0, 1)]
        return max(_peak(way, 0.0) for way in ways), max(_peak(way, 60.0) for way in ways)


def _peak(uses: list[tuple[float, int]], since: float) -> float:
    whens = [when for when, _ in uses]
    sums = [0, *accumulate(used for _, used in uses)]
    # A window that begins at a use; 10 µs short of a minute: the clock goes in steps of one.
    windows = (sums[bisect_left(whens, when + 60 - 1e-5)] - sums[n] for n, when in enumerate(whens) if when >= since)
    return max(windows, default=0) / TOKENS_A_MINUTE


@row.verify
def check(answers: Log, agents: int, minutes: int) -> str | None:
    """Every call used between a third of the most and all of it, and took its time."""
    wrong = [one for one in answers.calls if not (MOST / 3 <= one[2] <= MOST and one[1] - one[0] > CALL_S - 0.001)]
    if len(answers.calls) < agents:
        return f"only {len(answers.calls)} calls ended"
    return f"{wrong[0]} is no call" if wrong else None


def measure(meter: Meter, agents: int, minutes: int, make: Callable[[Log, random.Random], Ask]) -> None:
    """Have the agents call until time is up."""
    from linecook.testing import VirtualClock

    log = Log()

    async def agent(ask: Ask, chance: random.Random) -> None:
        while True:
            await ask(chance.randint(MOST // 3, MOST))

    async def main() -> None:
        ask = make(log, random.Random(1))
        tasks = [asyncio.create_task(agent(ask, random.Random(number))) for number in range(agents)]
        await asyncio.sleep(60 * minutes)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    VirtualClock().run(main())
    peak, later = log.peaks()
    in_flight = min(agents, TOKENS_A_MINUTE / (MOST / 3)) * MOST / TOKENS_A_MINUTE
    used = sum(used for _, _, used in log.calls) / TOKENS_A_MINUTE / minutes
    meter.note(peak=peak, peak_later=later, used=used, over=max(0.0, peak - 1.0) / in_flight)
    meter.answer(log)


async def call_model(log: Log, used: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.sleep(CALL_S)
    log.calls.append((began, loop.time(), used))


@row.linecook
def linecook(meter: Meter, agents: int, minutes: int) -> None:
    measure(meter, agents, minutes, lambda log, _: _limited(log, MOST))


@row.linecook
def linecook_low_estimates(meter: Meter, agents: int, minutes: int) -> None:
    measure(meter, agents, minutes, lambda log, _: _limited(log, MOST // 3))


def _limited(log: Log, estimate: int) -> Ask:
    from linecook import Limit, charge, tool

    @tool(limit=Limit(tokens_out_per_minute=TOKENS_A_MINUTE, estimate=lambda _: (0, estimate)))
    async def ask(used: int) -> None:
        await call_model(log, used)
        charge(tokens_out=used)

    called: Any = ask
    one: Ask = called
    return one


class Bucket:
    """Holds a minute's tokens at most, refills evenly; whoever finds too few waits his turn."""

    def __init__(self) -> None:
        self._left = float(TOKENS_A_MINUTE)
        self._then = 0.0
        self._turn = asyncio.Lock()

    async def take(self, tokens: int) -> None:
        loop = asyncio.get_running_loop()
        async with self._turn:
            while True:
                now = loop.time()
                self._left = min(TOKENS_A_MINUTE, self._left + (now - self._then) * TOKENS_A_MINUTE / 60)
                self._then = now
                if self._left >= tokens:
                    self._left -= tokens
                    return
                await asyncio.sleep(0.1)

    def give_back(self, tokens: int) -> None:
        self._left = min(TOKENS_A_MINUTE, self._left + tokens)


@row.stdlib
def bucket_with_refunds(meter: Meter, agents: int, minutes: int) -> None:
    """As bespokelabs curator does it: reserve the most, give back what wasn't used."""
    measure(meter, agents, minutes, lambda log, _: _bucketed(log, refunds=True))


@row.stdlib
def bucket(meter: Meter, agents: int, minutes: int) -> None:
    """The usual one: what was reserved is gone."""
    measure(meter, agents, minutes, lambda log, _: _bucketed(log, refunds=False))


def _bucketed(log: Log, *, refunds: bool) -> Ask:
    bucket = Bucket()

    async def ask(used: int) -> None:
        await bucket.take(MOST)
        await call_model(log, used)
        if refunds:
            bucket.give_back(MOST - used)

    return ask
