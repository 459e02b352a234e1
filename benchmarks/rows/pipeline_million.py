"""A million items from a lazy source: what is inside must not depend on how many come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from benchmarks.harness.meter import Meter, peak_memory_mb
from benchmarks.harness.row import Row, Target
from benchmarks.rows._queues import through

FEW = 1_000

row = Row(
    title="1,000,000 items of a generator through two async stages",
    base="hand_queues",
    unit="items",
    full={"items": 1_000_000},
    quick={"items": 5_000},
    units=lambda size: size["items"],
    targets=(
        Target("rate", 60_000, 120_000, says="items a second"),
        Target("grew_mb", 20, 5, at_most=True, says="memory over a run of 1,000 items, MB"),
    ),
    columns=("wall_s", "grew_mb", "lag_p99_ms"),
    time_limit=120.0,
    losing="The generator is pulled on a thread, as one that may block; hand-written code pulls it on the loop.",
)


def numbers(items: int) -> Iterator[int]:
    """Yield them one by one."""
    yield from range(items)


async def same(number: int) -> int:
    """Do nothing."""
    return number


@row.verify
def check(answers: tuple[int, int], items: int) -> str | None:
    """How many came out, and their sum."""
    return None if answers == (items, items * (items - 1) // 2) else f"count and sum are {answers}"


async def measure(meter: Meter, items: int, results) -> None:  # type: ignore[no-untyped-def]
    """Count and add up what ``results(items)`` yields, after a run with few items."""
    async for _ in results(FEW):
        pass
    before, count, total = peak_memory_mb(), 0, 0
    async with meter.watching():
        async for number in results(items):
            count, total = count + 1, total + number
    meter.note(grew_mb=peak_memory_mb() - before)
    meter.answer((count, total))


@row.linecook
def linecook(meter: Meter, items: int) -> None:
    from linecook import agent, pipeline, run

    stage = agent(same)

    async def results(count: int) -> AsyncIterator[int]:
        async with pipeline(numbers(count)).map(stage).map(stage) as found:
            async for number in found:
                yield number

    run(measure(meter, items, results))


@row.stdlib
def hand_queues(meter: Meter, items: int) -> None:
    def results(count: int) -> AsyncIterator[int]:
        return through(numbers(count), (same, 32), (same, 32))

    asyncio.run(measure(meter, items, results))


@row.peer("aiostream")
def aiostream(meter: Meter, items: int) -> None:
    from aiostream import pipe, stream

    async def one(number: int, *_: int) -> int:
        return await same(number)

    async def results(count: int) -> AsyncIterator[int]:
        made = stream.iterate(numbers(count)) | pipe.map(one, ordered=False, task_limit=32)
        async with (made | pipe.map(one, ordered=False, task_limit=32)).stream() as found:
            async for number in found:
                yield number

    asyncio.run(measure(meter, items, results))
