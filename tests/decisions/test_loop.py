"""docs/decision-guide.md, "The event loop": what it does with blocking calls and with work."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from linecook import gather, tool


async def test_one_blocking_call_stops_everybody() -> None:
    ticks = 0

    async def neighbour() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    async def blocks() -> int:
        before = ticks
        time.sleep(0.1)
        return ticks - before

    @tool
    def waits() -> int:
        before = ticks
        time.sleep(0.1)
        return ticks - before

    task = asyncio.create_task(neighbour())
    await asyncio.sleep(0.02)
    assert await blocks() == 0  # nobody else ran
    assert await waits() > 2  # linecook: on a thread; the neighbour went on
    task.cancel()


@pytest.mark.slow
async def test_concurrency_is_not_parallelism(tmp_path: Path) -> None:
    order: list[str] = []

    async def compute(name: str) -> None:
        order.append(f"{name} begins")
        sum(range(10_000))
        order.append(f"{name} ends")

    await asyncio.gather(compute("a"), compute("b"))
    assert order == ["a begins", "a ends", "b begins", "b ends"]  # one after the other

    # linecook: two processes, at the same time; each computes until it sees that the other has begun
    a, b = await gather(meet(str(tmp_path), "a", "b"), meet(str(tmp_path), "b", "a"), timeout=30)
    assert len({a, b, os.getpid()}) == 3


@tool(lane="process")
def meet(folder: str, name: str, other: str) -> int:
    """Compute until the other computes as well; return the process it happened in."""
    Path(folder, name).touch()
    while not Path(folder, other).exists():
        sum(range(1000))
    return os.getpid()
