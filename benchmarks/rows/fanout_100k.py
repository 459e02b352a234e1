"""A hundred thousand agents, each with a task and a context of its own."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="100,000 agents, one sleep(0) each, own task and context each",
    base="create_task_gather",
    unit="agents",
    full={"agents": 100_000},
    quick={"agents": 2_000},
    units=lambda size: size["agents"],
    targets=(
        Target(
            "rate", 1.5, 1.9, over="create_task_gather", of="linecook_settle", says="settle, rate × create_task_gather"
        ),
        Target("rss_mb", 100, 75, of="linecook_settle", at_most=True, says="settle, RSS MB, all outcomes kept"),
        Target("rss_mb", 40, 30, of="linecook_as_completed", at_most=True, says="as_completed, RSS MB"),
    ),
    columns=("wall_s", "rss_mb", "lag_p99_ms"),
)

badge: ContextVar[int] = ContextVar("badge")


async def breathe(number: int) -> int:
    """Give way once; the badge shows afterwards whether another agent's context came in between."""
    badge.set(number)
    await asyncio.sleep(0)
    return badge.get()


@row.verify
def check(answers: list[int] | tuple[int, int], agents: int) -> str | None:
    """Each number once; a side that keeps no answers hands over (how many, their sum)."""
    if isinstance(answers, tuple):
        return None if answers == (agents, agents * (agents - 1) // 2) else f"count and sum are {answers}"
    return None if answers == list(range(agents)) else "not each agent's own number, in order"


@row.linecook
def linecook_settle(meter: Meter, agents: int) -> None:
    from linecook import agent, run, settle

    clerk = agent(breathe)

    async def main() -> None:
        async with meter.watching():
            outcomes = await settle((clerk(n) for n in range(agents)), limit=1000)
        meter.answer(outcomes.results)

    run(main())


@row.linecook
def linecook_as_completed(meter: Meter, agents: int) -> None:
    from linecook import Ok, agent, as_completed, run

    clerk = agent(breathe)

    async def main() -> None:
        count = total = 0
        async with meter.watching():
            async with as_completed((clerk(n) for n in range(agents)), limit=1000) as outcomes:
                async for outcome in outcomes:
                    assert isinstance(outcome, Ok), outcome
                    count, total = count + 1, total + outcome.value
        meter.answer((count, total))

    run(main())


@row.stdlib
def create_task_gather(meter: Meter, agents: int) -> None:
    async def main() -> None:
        async with meter.watching():
            answers = await asyncio.gather(*[asyncio.create_task(breathe(n)) for n in range(agents)])
        meter.answer(answers)

    asyncio.run(main())


@row.stdlib
def gather_semaphore(meter: Meter, agents: int) -> None:
    async def main() -> None:
        places = asyncio.Semaphore(1000)

        async def admitted(number: int) -> int:
            async with places:
                return await breathe(number)

        async with meter.watching():
            answers = await asyncio.gather(*(admitted(n) for n in range(agents)))
        meter.answer(answers)

    asyncio.run(main())


@row.peer("anyio")
def anyio_task_group(meter: Meter, agents: int) -> None:
    import anyio

    answers = [-1] * agents

    async def clerk(number: int) -> None:
        answers[number] = await breathe(number)

    async def main() -> None:
        async with meter.watching():
            async with anyio.create_task_group() as group:
                for n in range(agents):
                    group.start_soon(clerk, n)
        meter.answer(answers)

    anyio.run(main)


@row.peer("trio")
def trio_nursery(meter: Meter, agents: int) -> None:
    import trio

    answers = [-1] * agents

    async def clerk(number: int) -> None:
        badge.set(number)
        await trio.lowlevel.checkpoint()
        answers[number] = badge.get()

    async def main() -> None:
        with meter.timing():
            async with trio.open_nursery() as nursery:
                for n in range(agents):
                    nursery.start_soon(clerk, n)
        meter.answer(answers)

    trio.run(main)
