"""Stages that do nothing: what it costs to be one."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.rows._queues import through

STAGES = 3

row = Row(
    title="three async stages that do nothing, 100,000 items",
    base="hand_queues",
    unit="items",
    full={"items": 100_000},
    quick={"items": 2_000},
    units=lambda size: size["items"],
    targets=(Target("stage_us", 8, 3, at_most=True, says="µs per item and stage"),),
    columns=("wall_s", "stage_us"),
    losing=(
        "Each item of each stage has a task, a context and a place in the tree of calls of its own, so that it can be "
        "seen, cancelled and blamed alone. A worker between two queues has none of that, and one error hangs it."
    ),
)


async def same(number: int) -> int:
    """Do nothing."""
    return number


@row.verify
def check(answers: list[int], items: int) -> str | None:
    """Each item once."""
    return None if sorted(answers) == list(range(items)) else f"{len(answers)} answers, not each item once"


def answer(meter: Meter, items: int, answers: list[int]) -> None:
    """Note what an item cost in each stage."""
    meter.note(stage_us=meter.figures["wall_s"] / items / STAGES * 1e6)
    meter.answer(answers)


@row.linecook
def linecook(meter: Meter, items: int) -> None:
    from linecook import agent, pipeline, run

    stage = agent(same)

    async def main() -> None:
        async with meter.watching():
            answers = await pipeline(range(items)).map(stage).map(stage).map(stage).collect()
        answer(meter, items, answers)

    run(main())


@row.stdlib
def hand_queues(meter: Meter, items: int) -> None:
    async def main() -> None:
        async with meter.watching():
            answers = [item async for item in through(range(items), *((same, 32),) * STAGES)]
        answer(meter, items, answers)

    asyncio.run(main())


@row.peer("aiostream")
def aiostream(meter: Meter, items: int) -> None:
    from aiostream import pipe, stream

    async def one(number: int, *_: int) -> int:
        return await same(number)

    async def main() -> None:
        made: Any = stream.iterate(range(items))
        for _ in range(STAGES):
            made = made | pipe.map(one, ordered=False, task_limit=32)
        async with meter.watching():
            async with made.stream() as results:
                answers = [item async for item in results]
        answer(meter, items, answers)

    asyncio.run(main())
