"""A tool in a process that does nothing: what the way there and back costs."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from benchmarks.harness.meter import Meter, warm_up
from benchmarks.harness.row import Row, Target

WORKERS = 2

row = Row(
    title="no-op in a process, 10,000 calls at once",
    base="process_pool",
    unit="calls",
    full={"calls": 10_000},
    quick={"calls": 200},
    units=lambda size: size["calls"],
    targets=(Target("rate", 8.0, 14.0, over="process_pool"),),
    columns=("wall_s", "lag_p99_ms", "lag_max_ms"),
)


def double(number: int) -> int:
    """Do next to nothing."""
    return number * 2


@row.verify
def check(answers: list[int], calls: int) -> str | None:
    """The doubles, in order."""
    return None if answers == [n * 2 for n in range(calls)] else "not the doubles, in order"


@row.linecook
def linecook(meter: Meter, calls: int) -> None:
    from linecook import gather, run, tool

    doubled = tool(lane="process")(double)

    async def main() -> None:
        await warm_up(lambda: gather(doubled(n) for n in range(50 * WORKERS)))
        async with meter.watching():
            answers = await gather((doubled(n) for n in range(calls)), limit=None)
        meter.answer(answers)

    run(main())


@row.stdlib
def process_pool(meter: Meter, calls: int) -> None:
    async def main() -> None:
        loop, context = asyncio.get_running_loop(), multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
            await warm_up(lambda: asyncio.gather(*(loop.run_in_executor(pool, double, n) for n in range(50 * WORKERS))))
            async with meter.watching():
                answers = await asyncio.gather(*(loop.run_in_executor(pool, double, n) for n in range(calls)))
            meter.answer(answers)

    asyncio.run(main())


@row.peer("pebble")
def pebble(meter: Meter, calls: int) -> None:
    from pebble import ProcessPool

    async def main() -> None:
        context = multiprocessing.get_context("forkserver")
        with ProcessPool(WORKERS, context=context) as pool:
            await warm_up(
                lambda: asyncio.gather(
                    *(asyncio.wrap_future(pool.schedule(double, args=[n])) for n in range(50 * WORKERS))
                )
            )
            async with meter.watching():
                answers = await asyncio.gather(
                    *(asyncio.wrap_future(pool.schedule(double, args=[n])) for n in range(calls))
                )
            meter.answer(answers)

    asyncio.run(main())


@row.peer("anyio")
def anyio_process(meter: Meter, calls: int) -> None:
    import anyio
    import anyio.to_process

    async def main() -> None:
        limiter = anyio.CapacityLimiter(WORKERS)
        answers = [0] * calls

        async def call(number: int) -> None:
            answers[number] = await anyio.to_process.run_sync(double, number, limiter=limiter)

        async def crew(size: int) -> None:
            async with anyio.create_task_group() as group:
                for n in range(size):
                    group.start_soon(call, n)

        await warm_up(lambda: crew(min(calls, 50 * WORKERS)))
        async with meter.watching():
            await crew(calls)
        meter.answer(answers)

    anyio.run(main)
