"""A tool that computes for a millisecond in pure Python: how much of two cores arrives at the work."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from benchmarks.harness.meter import Meter, warm_up
from benchmarks.harness.row import Row, Target
from benchmarks.rows._processes import WORKERS, in_two_processes

STEPS = 10_500  # about a millisecond on the machine of the published figures; the ratios don't depend on it

row = Row(
    title="1 ms of pure Python, 2,000 calls at once",
    base="process_pool",
    unit="calls",
    full={"calls": 2_000},
    quick={"calls": 60},
    units=lambda size: size["calls"],
    targets=(
        Target("rate", 1.15, 1.25, over="process_pool"),
        Target("rate", 0.88, 0.93, over="two_processes", says="rate × the two-process bound"),
    ),
    columns=("wall_s", "lag_p99_ms", "lag_max_ms"),
)


def burn(number: int) -> int:
    """Compute with the interpreter lock held."""
    for step in range(STEPS):
        number = (number * 31 + step) % 1_000_003
    return number


@row.verify
def check(answers: list[int], calls: int) -> str | None:
    """As many as asked, and a sample computed again here."""
    if len(answers) != calls:
        return f"{len(answers)} answers for {calls} calls"
    wrong = [n for n in range(0, calls, max(1, calls // 20)) if answers[n] != burn(n)]
    return f"call {wrong[0]} answered {answers[wrong[0]]}" if wrong else None


@row.linecook
def linecook(meter: Meter, calls: int) -> None:
    from linecook import gather, run, tool

    burnt = tool(lane="process")(burn)

    async def main() -> None:
        await warm_up(lambda: gather(burnt(n) for n in range(20 * WORKERS)))
        async with meter.watching():
            answers = await gather((burnt(n) for n in range(calls)), limit=None)
        meter.answer(answers)

    run(main())


@row.stdlib
def process_pool(meter: Meter, calls: int) -> None:
    async def main() -> None:
        loop, context = asyncio.get_running_loop(), multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
            await warm_up(lambda: asyncio.gather(*(loop.run_in_executor(pool, burn, n) for n in range(20 * WORKERS))))
            async with meter.watching():
                answers = await asyncio.gather(*(loop.run_in_executor(pool, burn, n) for n in range(calls)))
            meter.answer(answers)

    asyncio.run(main())


@row.limit
def two_processes(meter: Meter, calls: int) -> None:
    shares = in_two_processes(meter, burn, calls)
    meter.answer([shares[n % WORKERS][n // WORKERS] for n in range(calls)])


@row.peer("pebble")
def pebble(meter: Meter, calls: int) -> None:
    from pebble import ProcessPool

    async def main() -> None:
        context = multiprocessing.get_context("forkserver")
        with ProcessPool(WORKERS, context=context) as pool:
            await warm_up(
                lambda: asyncio.gather(
                    *(asyncio.wrap_future(pool.schedule(burn, args=[n])) for n in range(20 * WORKERS))
                )
            )
            async with meter.watching():
                answers = await asyncio.gather(
                    *(asyncio.wrap_future(pool.schedule(burn, args=[n])) for n in range(calls))
                )
            meter.answer(answers)

    asyncio.run(main())
