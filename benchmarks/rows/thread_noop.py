"""A sync tool that does nothing, from many agents at once: what a call through a thread costs."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="sync no-op tool from 1,000 agents, contextvars, differing deadlines",
    base="to_thread",
    unit="calls",
    full={"agents": 1_000, "calls": 100},
    quick={"agents": 100, "calls": 20},
    units=lambda size: size["agents"] * size["calls"],
    targets=(
        Target("rate", 3.5, 6.0, over="to_thread"),
        Target("rate", 4.5, 8.0, over="to_thread_wait_for"),
        Target("lag_p99_ms", 5.0, 3.0, at_most=True, says="loop lag p99, ms"),
    ),
    columns=("wall_s", "lag_p99_ms", "lag_max_ms", "rss_mb"),
    time_limit=90.0,
)

desk: ContextVar[int] = ContextVar("desk")


def stamp(number: int) -> int:
    """Do nothing but prove that the caller's context came along."""
    return desk.get() + number


def deadline_of(agent: int) -> float:
    """Return the agent's deadline in seconds; they differ, so that no side can serve them as one queue."""
    return 300.0 + agent * 37 % 101 / 10


@row.verify
def check(answers: list[int], agents: int, calls: int) -> str | None:
    """Each agent's sum over its calls holds its own context variable in every one of them."""
    wanted = [calls * agent + calls * (calls - 1) // 2 for agent in range(agents)]
    if answers == wanted:
        return None
    return f"sums {answers[:3]}… where {wanted[:3]}… are right"


@row.linecook
def linecook(meter: Meter, agents: int, calls: int) -> None:
    from linecook import agent, fail_after, gather, run, tool

    stamped = tool(timeout=600)(stamp)

    @agent
    async def clerk(number: int) -> int:
        desk.set(number)
        with fail_after(deadline_of(number)):
            total = 0
            for n in range(calls):
                total += await stamped(n)
            return total

    async def main() -> None:
        await gather(clerk(n) for n in range(10))
        async with meter.watching():
            answers = await gather(clerk(n) for n in range(agents))
        meter.answer(answers)

    run(main())


@row.stdlib
def to_thread(meter: Meter, agents: int, calls: int) -> None:
    async def clerk(number: int) -> int:
        desk.set(number)
        total = 0
        for n in range(calls):
            total += await asyncio.to_thread(stamp, n)
        return total

    async def main() -> None:
        await asyncio.gather(*(clerk(n) for n in range(10)))
        async with meter.watching():
            answers = await asyncio.gather(*(clerk(n) for n in range(agents)))
        meter.answer(answers)

    asyncio.run(main())


@row.stdlib
def to_thread_wait_for(meter: Meter, agents: int, calls: int) -> None:
    async def clerk(number: int) -> int:
        desk.set(number)
        total = 0
        for n in range(calls):
            total += await asyncio.wait_for(asyncio.to_thread(stamp, n), deadline_of(number))
        return total

    async def main() -> None:
        await asyncio.gather(*(clerk(n) for n in range(10)))
        async with meter.watching():
            answers = await asyncio.gather(*(clerk(n) for n in range(agents)))
        meter.answer(answers)

    asyncio.run(main())


@row.peer("anyio")
def anyio_fail_after(meter: Meter, agents: int, calls: int) -> None:
    import anyio
    import anyio.to_thread

    answers = [0] * agents

    async def clerk(number: int) -> None:
        desk.set(number)
        with anyio.fail_after(deadline_of(number)):
            for n in range(calls):
                answers[number] += await anyio.to_thread.run_sync(stamp, n, abandon_on_cancel=True)

    async def crew(size: int) -> None:
        async with anyio.create_task_group() as group:
            for n in range(size):
                group.start_soon(clerk, n)

    async def main() -> None:
        await crew(min(10, agents))
        answers[:] = [0] * agents
        async with meter.watching():
            await crew(agents)
        meter.answer(answers)

    anyio.run(main)
