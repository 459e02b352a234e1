"""A megabyte into a process and a megabyte back: what large payloads cost."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor

from benchmarks.harness.meter import Meter, warm_up
from benchmarks.harness.row import Row, Target

WORKERS = 2

row = Row(
    title="1 MB in and out of a process, 8 at a time",
    base="process_pool",
    unit="calls",
    full={"calls": 300, "payload_bytes": 1_000_000, "at_once": 8},
    quick={"calls": 16, "payload_bytes": 100_000, "at_once": 8},
    units=lambda size: size["calls"],
    targets=(Target("rate", 1.9, 2.5, over="process_pool"),),
    columns=("wall_s", "lag_p99_ms", "lag_max_ms", "rss_mb"),
)


def turn(page: bytes) -> bytes:
    """Return the page with its halves exchanged: every byte is read and written once."""
    middle = len(page) // 2
    return page[middle:] + page[:middle]


def pages(calls: int, payload_bytes: int) -> list[bytes]:
    """Return pages that can't be confused: each starts with its number."""
    body = random.Random(7).randbytes(payload_bytes - 8)
    return [number.to_bytes(8, "big") + body for number in range(calls)]


@row.verify
def check(answers: list[bytes], calls: int, payload_bytes: int, at_once: int) -> str | None:
    """Every page, byte for byte, in order."""
    wanted = pages(calls, payload_bytes)
    wrong = [n for n, (answer, page) in enumerate(zip(answers, wanted, strict=False)) if answer != turn(page)]
    if wrong or len(answers) != calls:
        return f"{len(answers)} pages of {calls}, {len(wrong)} of them wrong"
    return None


@row.linecook
def linecook(meter: Meter, calls: int, payload_bytes: int, at_once: int) -> None:
    from linecook import gather, run, tool

    turned = tool(lane="process")(turn)
    book = pages(calls, payload_bytes)

    async def main() -> None:
        await warm_up(lambda: gather((turned(page) for page in book[: 4 * WORKERS]), limit=at_once))
        async with meter.watching():
            answers = await gather((turned(page) for page in book), limit=at_once)
        meter.answer(answers)

    run(main())


async def by_hand(meter: Meter, book: list[bytes], at_once: int, call: Callable[[bytes], Awaitable[bytes]]) -> None:
    """Run *at_once* workers over the book, as one writes it where nothing bounds a fan-out."""

    async def read(book: list[bytes]) -> list[bytes]:
        answers, numbered = [b""] * len(book), iter(enumerate(book))

        async def reader() -> None:
            for number, page in numbered:
                answers[number] = await call(page)

        await asyncio.gather(*(reader() for _ in range(at_once)))
        return answers

    await warm_up(lambda: read(book[: 4 * WORKERS]))
    async with meter.watching():
        answers = await read(book)
    meter.answer(answers)


@row.stdlib
def process_pool(meter: Meter, calls: int, payload_bytes: int, at_once: int) -> None:
    book = pages(calls, payload_bytes)

    async def main() -> None:
        loop, context = asyncio.get_running_loop(), multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
            await by_hand(meter, book, at_once, lambda page: loop.run_in_executor(pool, turn, page))

    asyncio.run(main())


@row.peer("pebble")
def pebble(meter: Meter, calls: int, payload_bytes: int, at_once: int) -> None:
    from pebble import ProcessPool

    book = pages(calls, payload_bytes)

    async def main() -> None:
        context = multiprocessing.get_context("forkserver")
        with ProcessPool(WORKERS, context=context) as pool:
            await by_hand(meter, book, at_once, lambda page: asyncio.wrap_future(pool.schedule(turn, args=[page])))

    asyncio.run(main())
