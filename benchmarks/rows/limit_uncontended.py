"""What a limit costs that holds nobody back: in µs more than the same tool without one."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

BATCH = 1_000

row = Row(
    title="a limit that holds nobody back, in µs more than the same without it",
    base="semaphore",
    full={"calls": 100_000},
    quick={"calls": 2_000},
    targets=(
        Target("call_us", 1.3, 1.0, over="semaphore", at_most=True, says="in flight only, a call × under a semaphore"),
        Target("more_us", 5.0, 3.0, of="linecook_all_features", at_most=True, says="all features, µs more"),
    ),
    columns=("more_us", "call_us", "free_us"),
    losing=(
        "All features: four windows are looked at and written to, 1 µs; the key is asked for and its door found, 0.5; "
        "the ticket, and that this call holds it, 0.5; estimate, adaptive round and circuit, 0.6; the rest is calls."
    ),
)

One = Callable[[int], Awaitable[int]]


async def shout(number: int) -> int:
    """The body: an addition."""
    return number + 1


@row.verify
def check(answers: list[int], calls: int) -> str | None:
    """Every call of every batch came back with its number plus one."""
    wanted = [sum(range(1, BATCH + 1))] * (calls // BATCH)
    return None if answers == wanted else f"sums {answers[:3]}… where {wanted[0]} is right"


async def compare(meter: Meter, calls: int, free: One, one: One) -> None:
    """Await *one* and *free* in turns, a batch each; the figures are medians over the batches."""
    await _batch(free), await _batch(one)
    more, took, without, answers = list[float](), list[float](), list[float](), list[int]()
    for _ in range(calls // BATCH):
        free_s, _total = await _batch(free)
        one_s, total = await _batch(one)
        answers.append(total)
        took.append(one_s / BATCH * 1e6)
        without.append(free_s / BATCH * 1e6)
        more.append((one_s - free_s) / BATCH * 1e6)
    meter.note(more_us=statistics.median(more), call_us=statistics.median(took), free_us=statistics.median(without))
    meter.answer(answers)


async def _batch(one: One) -> tuple[float, int]:
    total, start = 0, time.process_time()
    for number in range(BATCH):
        total += await one(number)
    return time.process_time() - start, total


def _tool(**options: Any) -> One:
    from linecook import tool

    made: Any = tool(**options)(shout) if options else tool(shout)
    one: One = made
    return one


@row.linecook
def linecook(meter: Meter, calls: int) -> None:
    from linecook import run

    run(compare(meter, calls, _tool(), _tool(limit=20)))


@row.linecook
def linecook_all_features(meter: Meter, calls: int) -> None:
    from linecook import Limit, run

    everything = Limit(
        "8-64-512",
        per_second=1e6,
        per_minute=1e7,
        tokens_in_per_minute=1e9,
        tokens_out_per_minute=1e9,
        key=lambda number: "model",
        estimate=lambda number: (100, 100),
        breaker=10,
    )
    run(compare(meter, calls, _tool(), _tool(limit=everything)))


@row.stdlib
def semaphore(meter: Meter, calls: int) -> None:
    """What users write around a call of a tool."""
    from linecook import run

    free = _tool()
    places = asyncio.Semaphore(20)

    async def one(number: int) -> int:
        async with places:
            return await free(number)

    run(compare(meter, calls, free, one))


@row.stdlib
def semaphore_bare(meter: Meter, calls: int) -> None:
    """The same around the bare function."""
    places = asyncio.Semaphore(20)

    async def one(number: int) -> int:
        async with places:
            return await shout(number)

    asyncio.run(compare(meter, calls, shout, one))
