"""One caller, call after call: what a single call waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="one caller, call after call",
    base="to_thread",
    unit="calls",
    full={"calls": 5_000},
    quick={"calls": 200},
    units=lambda size: size["calls"],
    targets=(Target("rate", 1.1, 1.4, over="to_thread"),),
    columns=("wall_s", "lag_p99_ms"),
)


def double(number: int) -> int:
    """Do next to nothing."""
    return number * 2


@row.verify
def check(answers: list[int], calls: int) -> str | None:
    """The doubles, in order."""
    return None if answers == [n * 2 for n in range(calls)] else "not the doubles, in order"


async def one_caller(meter: Meter, calls: int, call: Callable[[int], Awaitable[int]]) -> None:
    """Await *call* again and again."""
    for n in range(50):
        await call(n)
    async with meter.watching():
        answers = [await call(n) for n in range(calls)]
    meter.answer(answers)


@row.linecook
def linecook(meter: Meter, calls: int) -> None:
    from linecook import run, tool

    run(one_caller(meter, calls, tool(double)))


@row.stdlib
def to_thread(meter: Meter, calls: int) -> None:
    asyncio.run(one_caller(meter, calls, lambda n: asyncio.to_thread(double, n)))


@row.stdlib
def run_in_executor(meter: Meter, calls: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(64) as pool:
            await one_caller(meter, calls, lambda n: loop.run_in_executor(pool, double, n))

    asyncio.run(main())


@row.peer("anyio")
def anyio_thread(meter: Meter, calls: int) -> None:
    import anyio
    import anyio.to_thread

    async def main() -> None:
        await one_caller(meter, calls, lambda n: anyio.to_thread.run_sync(double, n))

    anyio.run(main)
