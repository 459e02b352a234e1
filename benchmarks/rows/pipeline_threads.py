"""A stage of small bodies on threads: several of them in one job."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.rows._queues import through

row = Row(
    title="a stage of 5 µs bodies on threads, 50,000 items",
    base="hand_queues",
    unit="items",
    full={"items": 50_000},
    quick={"items": 1_000},
    units=lambda size: size["items"],
    targets=(
        Target("rate", 2.0, 3.0, over="linecook_one_by_one", says="rate × the same with a job for each body"),
        Target("rate", 2.0, 4.0, over="hand_queues"),
    ),
    columns=("wall_s", "lag_p99_ms"),
)


def small(number: int) -> int:
    """Compute for some microseconds."""
    return sum(range(100)) - 4950 + number


@row.verify
def check(answers: list[int], items: int) -> str | None:
    """Each item once."""
    return None if sorted(answers) == list(range(items)) else f"{len(answers)} answers, not each item once"


@row.linecook
def linecook(meter: Meter, items: int) -> None:
    _through_linecook(meter, items, None)


@row.linecook
def linecook_one_by_one(meter: Meter, items: int) -> None:
    """A time-out belongs to one body: such bodies share no job."""
    _through_linecook(meter, items, 60.0)


def _through_linecook(meter: Meter, items: int, timeout: float | None) -> None:
    from linecook import pipeline, run, tool

    stage = tool(timeout=timeout)(small)

    async def main() -> None:
        async with meter.watching():
            answers = await pipeline(range(items)).map(stage).collect()
        meter.answer(answers)

    run(main())


@row.stdlib
def hand_queues(meter: Meter, items: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(16) as pool:

            async def stage(number: int) -> int:
                return await loop.run_in_executor(pool, small, number)

            async with meter.watching():
                answers = [item async for item in through(range(items), (stage, 16))]
        meter.answer(answers)

    asyncio.run(main())
