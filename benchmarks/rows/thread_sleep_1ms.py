"""A sync tool that really blocks, for a millisecond."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="1 ms sleeping tool from 1,000 agents",
    base="pool64",
    unit="calls",
    full={"agents": 1_000, "calls": 20},
    quick={"agents": 100, "calls": 5},
    units=lambda size: size["agents"] * size["calls"],
    targets=(
        Target("rate", 1.6, 1.9, over="pool64"),
        Target("rate", 6.0, 9.0, over="to_thread"),
    ),
    columns=("wall_s", "lag_p99_ms", "lag_max_ms"),
)


def fetch(number: int) -> int:
    """Block for a millisecond, as a call to a near service does."""
    time.sleep(0.001)
    return number * number


@row.verify
def check(answers: list[int], agents: int, calls: int) -> str | None:
    """Each agent's sum of squares."""
    wanted = sum(n * n for n in range(calls))
    wrong = [answer for answer in answers if answer != wanted]
    if wrong or len(answers) != agents:
        return f"{len(answers)} sums for {agents} agents, {len(wrong)} of them wrong"
    return None


@row.linecook
def linecook(meter: Meter, agents: int, calls: int) -> None:
    from linecook import agent, gather, run, tool

    fetched = tool(fetch)

    @agent
    async def clerk() -> int:
        return sum([await fetched(n) for n in range(calls)])

    async def main() -> None:
        await gather(clerk() for _ in range(agents))
        async with meter.watching():
            answers = await gather(clerk() for _ in range(agents))
        meter.answer(answers)

    run(main())


async def by_hand(meter: Meter, agents: int, calls: int, call: Callable[[int], Awaitable[int]]) -> None:
    """Run the agents over *call*, once for warmth and once for the figure."""

    async def clerk() -> int:
        return sum([await call(n) for n in range(calls)])

    await asyncio.gather(*(clerk() for _ in range(agents)))
    async with meter.watching():
        answers = await asyncio.gather(*(clerk() for _ in range(agents)))
    meter.answer(answers)


@row.stdlib
def pool64(meter: Meter, agents: int, calls: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(64) as pool:
            await by_hand(meter, agents, calls, lambda n: loop.run_in_executor(pool, fetch, n))

    asyncio.run(main())


@row.stdlib
def to_thread(meter: Meter, agents: int, calls: int) -> None:
    asyncio.run(by_hand(meter, agents, calls, lambda n: asyncio.to_thread(fetch, n)))


@row.peer("anyio")
def anyio_64(meter: Meter, agents: int, calls: int) -> None:
    import anyio
    import anyio.to_thread

    async def main() -> None:
        limiter = anyio.CapacityLimiter(64)
        await by_hand(meter, agents, calls, lambda n: anyio.to_thread.run_sync(fetch, n, limiter=limiter))

    anyio.run(main)
