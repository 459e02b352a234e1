"""A person waits for an answer while 10,000 batch calls stand in the same line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.meter import Meter, percentile
from benchmarks.harness.row import Row, Target

EVERY = 0.05  # seconds between two interactive calls

row = Row(
    title="an interactive call every 50 ms while 10,000 batch calls with 1 ms tools saturate the lane",
    base="to_thread",
    full={"agents": 10_000, "interactive": 200},
    quick={"agents": 500, "interactive": 10},
    targets=(Target("p99_ms", 10.0, 5.0, at_most=True, says="p99 of the interactive call, ms"),),
    columns=("p50_ms", "p99_ms", "max_ms", "batch_per_s", "lag_p99_ms"),
    time_limit=120.0,
)

Call = Callable[[int], Awaitable[int]]


def work(number: int) -> int:
    """Block for a millisecond."""
    time.sleep(0.001)
    return number + 1


@dataclass
class Log:
    """What came of it: the interactive answers, and how many batch calls were done meanwhile, wrong ones among them."""

    answers: list[int]
    batch: int
    wrong: int


@row.verify
def check(log: Log, agents: int, interactive: int) -> str | None:
    """All answers are right, and the batch really kept the lane busy."""
    if log.answers != list(range(1, interactive + 1)) or log.wrong:
        return f"{log.wrong} batch answers wrong, interactive {log.answers[:5]}…"
    if log.batch < interactive:
        return f"only {log.batch} batch calls were done: nothing was saturated"
    return None


class Shift:
    """The batch agents work until the last interactive call is answered; so the line never runs empty."""

    def __init__(self, interactive: int, batch_call: Call, interactive_call: Call) -> None:
        self.interactive, self.batch_call, self.interactive_call = interactive, batch_call, interactive_call
        self.over, self.log = False, Log([], 0, 0)
        self.latencies: list[float] = []

    async def batch_agent(self, number: int) -> None:
        """Call after call, until the shift is over."""
        while not self.over:
            answer = await self.batch_call(number)
            self.log.batch += 1
            self.log.wrong += answer != number + 1

    async def person(self) -> None:
        """One call each 50 ms, whether or not the last one is answered: waiting for it would hide the queue."""
        loop = asyncio.get_running_loop()
        start, asked = loop.time() + 0.5, list[asyncio.Task[int]]()
        for number in range(self.interactive):
            await asyncio.sleep(start + number * EVERY - loop.time())
            asked.append(loop.create_task(self._ask(number)))
        self.log.answers = [await one for one in asked]
        self.over = True

    async def _ask(self, number: int) -> int:
        start = time.perf_counter()
        answer = await self.interactive_call(number)
        self.latencies.append((time.perf_counter() - start) * 1000)
        return answer

    async def measure(self, meter: Meter, crew: Coroutine[Any, Any, object]) -> None:
        """Run *crew* (all batch agents) beside the person."""
        async with meter.watching():
            await asyncio.gather(self.person(), crew)
        ms = self.latencies
        meter.note(p50_ms=percentile(ms, 0.5), p99_ms=percentile(ms, 0.99), max_ms=max(ms))
        meter.note(batch_per_s=self.log.batch / meter.figures["wall_s"])
        meter.answer(self.log)


@row.linecook
def linecook(meter: Meter, agents: int, interactive: int) -> None:
    from linecook import agent, run, settle, tool

    shift = Shift(interactive, tool(priority="batch")(work), tool(priority="interactive")(work))
    batch_agent = agent(shift.batch_agent)

    async def crew() -> None:
        (await settle((batch_agent(n) for n in range(agents)), limit=None)).raise_all()

    run(shift.measure(meter, crew()))


@row.stdlib
def to_thread(meter: Meter, agents: int, interactive: int) -> None:
    async def call(number: int) -> int:
        return await asyncio.to_thread(work, number)

    asyncio.run(by_hand(meter, agents, interactive, call))


@row.stdlib
def pool64(meter: Meter, agents: int, interactive: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(64) as pool:
            await by_hand(meter, agents, interactive, lambda n: loop.run_in_executor(pool, work, n))

    asyncio.run(main())


async def by_hand(meter: Meter, agents: int, interactive: int, call: Call) -> None:
    """Everybody through the same call: the standard library knows no priorities."""
    shift = Shift(interactive, call, call)

    async def crew() -> None:
        await asyncio.gather(*(shift.batch_agent(n) for n in range(agents)))

    await shift.measure(meter, crew())
