"""Three stages on three lanes: how much of two cores arrives at the work."""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.rows._processes import WORKERS, in_two_processes
from benchmarks.rows._queues import through

PARSE, REDUCE = 2_100, 10_500  # 0.2 and 1 ms on the machine of the published figures
WARM = 100

row = Row(
    title="fetch 5 ms → parse 0.2 ms (thread) → reduce 1 ms (process), 5,000 items",
    base="hand_queues",
    unit="items",
    full={"items": 5_000},
    quick={"items": 60},
    units=lambda size: size["items"],
    targets=(
        Target("rate", 0.75, 0.88, over="two_processes", says="rate × the two-process bound"),
        Target("rate", 1.35, 1.6, over="hand_queues"),
        Target("rate", 1.8, 2.3, over="aiostream"),
        Target("grew_mb", 5, 2, at_most=True, says="memory over a run of 100 items, MB"),
    ),
    columns=("wall_s", "grew_mb", "lag_p99_ms"),
    losing=(
        "The bound splits all work over two processes beforehand and moves nothing. Here a third thread, that of the "
        "loop and the parser, takes from both cores what it needs: 5 ms of sleep are a timer, and each item crosses "
        "two borders. pypeln is not listed: with as many items it hung (version 0.4.9)."
    ),
)


def burn(number: int, steps: int) -> int:
    """Compute with the interpreter lock held."""
    for step in range(steps):
        number = (number * 31 + step) % 1_000_003
    return number


async def fetch(number: int) -> int:
    """Wait as for a fast service."""
    await asyncio.sleep(0.005)
    return number


def parse(number: int) -> int:
    """Work a little."""
    burn(number, PARSE)
    return number


def reduce(number: int) -> int:
    """Work more."""
    return burn(number, REDUCE) + number * 10**7


def expected(number: int) -> int:
    """Return the answer for *number*; the number itself is in it."""
    return reduce(number)


@row.verify
def check(answers: list[int], items: int) -> str | None:
    """Each item once, and a sample computed again here."""
    found = {answer // 10**7: answer for answer in answers}
    if len(answers) != items or sorted(found) != list(range(items)):
        return f"{len(answers)} answers of {len(found)} items"
    wrong = [n for n in range(0, items, max(1, items // 20)) if found[n] != expected(n)]
    return f"item {wrong[0]} answered {found[wrong[0]]}" if wrong else None


@row.linecook
def linecook(meter: Meter, items: int) -> None:
    from linecook import pipeline, run, tool

    fetched, parsed, reduced = tool(fetch), tool(parse), tool(lane="process")(reduce)

    async def through_stages(count: int) -> list[int]:
        return await pipeline(range(count)).map(fetched).map(parsed).map(reduced).collect()

    async def main() -> None:
        await _measure(meter, items, through_stages)

    run(main())


@row.stdlib
def hand_queues(meter: Meter, items: int) -> None:
    context = get_context("forkserver")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(16) as threads, ProcessPoolExecutor(WORKERS, mp_context=context) as processes:

            async def parsed(number: int) -> int:
                return await loop.run_in_executor(threads, parse, number)

            async def reduced(number: int) -> int:
                return await loop.run_in_executor(processes, reduce, number)

            async def through_stages(count: int) -> list[int]:
                return [item async for item in through(range(count), (fetch, 32), (parsed, 16), (reduced, 8))]

            await _measure(meter, items, through_stages)

    asyncio.run(main())


@row.peer("aiostream")
def aiostream(meter: Meter, items: int) -> None:
    from aiostream import pipe, stream

    context = get_context("forkserver")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(16) as threads, ProcessPoolExecutor(WORKERS, mp_context=context) as processes:

            async def parsed(number: int, *_: int) -> int:
                return await loop.run_in_executor(threads, parse, number)

            async def reduced(number: int, *_: int) -> int:
                return await loop.run_in_executor(processes, reduce, number)

            async def fetched(number: int, *_: int) -> int:
                return await fetch(number)

            async def through_stages(count: int) -> list[int]:
                made = (
                    stream.iterate(range(count))
                    | pipe.map(fetched, ordered=False, task_limit=32)
                    | pipe.map(parsed, ordered=False, task_limit=16)
                    | pipe.map(reduced, ordered=False, task_limit=8)
                )
                async with made.stream() as results:
                    return [item async for item in results]

            await _measure(meter, items, through_stages)

    asyncio.run(main())


async def _measure(meter: Meter, items: int, through_stages) -> None:  # type: ignore[no-untyped-def]
    from benchmarks.harness.meter import peak_memory_mb

    for _ in range(2):  # the second one with every process up
        await through_stages(WARM)
        await asyncio.sleep(0.3)
    before = peak_memory_mb()
    async with meter.watching():
        answers = await through_stages(items)
    meter.note(grew_mb=peak_memory_mb() - before)
    meter.answer(answers)


def _parse_and_reduce(number: int) -> int:
    return reduce(parse(number))


@row.limit
def two_processes(meter: Meter, items: int) -> None:
    shares = in_two_processes(meter, _parse_and_reduce, items)
    meter.answer([answer for share in shares for answer in share])
