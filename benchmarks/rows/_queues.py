"""Stages by hand, as they are written with ``asyncio.Queue``: so many workers between two bounded queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

Stage = tuple[Callable[[Any], Awaitable[Any]], int]
END = object()


async def through(source: Iterable[Any], *stages: Stage, size: int = 64) -> AsyncIterator[Any]:
    """Yield what comes out of the last stage. An error in a stage would hang it: what most such code does."""
    queues: list[asyncio.Queue[Any]] = [asyncio.Queue(size) for _ in range(len(stages) + 1)]

    async def feed() -> None:
        for item in source:
            await queues[0].put(item)
        await queues[0].put(END)

    async def work(before: asyncio.Queue[Any], after: asyncio.Queue[Any], call: Any, left: list[int]) -> None:
        while (item := await before.get()) is not END:
            await after.put(await call(item))
        left[0] -= 1
        await (before if left[0] else after).put(END)  # the last one out tells the next stage

    tasks = [asyncio.create_task(feed())]
    for place, (call, workers) in enumerate(stages):
        left = [workers]
        for _ in range(workers):
            tasks.append(asyncio.create_task(work(queues[place], queues[place + 1], call, left)))
    while (item := await queues[-1].get()) is not END:
        yield item
    for task in tasks:
        await task
