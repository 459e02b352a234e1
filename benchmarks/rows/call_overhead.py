"""What awaiting a loop tool costs over awaiting the bare coroutine function."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

BATCH = 1_000

row = Row(
    title="awaiting a loop tool, in µs more than the bare coroutine",
    base="asyncio_timeout",
    full={"calls": 100_000},
    quick={"calls": 2_000},
    targets=(
        Target("more_us", 1.2, 0.7, of="linecook_plain", at_most=True, says="policy-free tool, µs more"),
        Target("more_us", 3.0, 1.5, of="linecook_fail_after", at_most=True, says="in an ambient deadline, µs more"),
        Target("more_us", 9.0, 6.0, of="linecook_timeout", at_most=True, says="with its own timeout, µs more"),
    ),
    columns=("more_us", "bare_us"),
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


async def compare(meter: Meter, calls: int, one: One) -> None:
    """Await *one* and the bare coroutine in turns, a batch each; the figure is the median of the batches' differences.

    In one process, batch by batch: the differences are a fraction of a microsecond, less than two processes differ.
    """
    await _batch(shout), await _batch(one)
    more, bare, answers = list[float](), list[float](), list[int]()
    for _ in range(calls // BATCH):
        bare_s, _total = await _batch(shout)
        one_s, total = await _batch(one)
        answers.append(total)
        bare.append(bare_s / BATCH * 1e6)
        more.append((one_s - bare_s) / BATCH * 1e6)
    meter.note(more_us=statistics.median(more), bare_us=statistics.median(bare))
    meter.answer(answers)


async def _batch(one: One) -> tuple[float, int]:
    total, start = 0, time.process_time()
    for number in range(BATCH):
        total += await one(number)
    return time.process_time() - start, total


@row.linecook
def linecook_plain(meter: Meter, calls: int) -> None:
    from linecook import run, tool

    run(compare(meter, calls, tool(shout)))


@row.linecook
def linecook_fail_after(meter: Meter, calls: int) -> None:
    from linecook import fail_after, run, tool

    shouted = tool(shout)

    async def one(number: int) -> int:
        with fail_after(60):
            return await shouted(number)

    run(compare(meter, calls, one))


@row.linecook
def linecook_timeout(meter: Meter, calls: int) -> None:
    from linecook import run, tool

    run(compare(meter, calls, tool(timeout=60)(shout)))


@row.linecook
def linecook_under_deadline(meter: Meter, calls: int) -> None:
    from linecook import fail_after, run, tool

    async def main() -> None:
        with fail_after(600):  # one deadline over all calls: what it costs each of them to have it travel
            await compare(meter, calls, tool(shout))

    run(main())


@row.stdlib
def wrapper(meter: Meter, calls: int) -> None:
    async def one(number: int) -> int:
        return await shout(number)

    asyncio.run(compare(meter, calls, one))


@row.stdlib
def asyncio_timeout(meter: Meter, calls: int) -> None:
    async def one(number: int) -> int:
        async with asyncio.timeout(60):
            return await shout(number)

    asyncio.run(compare(meter, calls, one))


@row.stdlib
def task_wait_for(meter: Meter, calls: int) -> None:
    async def one(number: int) -> int:
        return await asyncio.wait_for(asyncio.create_task(shout(number)), 60)

    asyncio.run(compare(meter, calls, one))


@row.peer("anyio")
def anyio_fail_after(meter: Meter, calls: int) -> None:
    import anyio

    async def one(number: int) -> int:
        with anyio.fail_after(60):
            return await shout(number)

    async def main() -> None:
        await compare(meter, calls, one)

    anyio.run(main)
