"""A parent keeps its slot while it waits for its child, which needs one too: two parents, two slots, stuck."""

import asyncio

from linecook.testing import outside


async def child(slots: asyncio.Semaphore, plan: str) -> str:
    async with slots:
        return await outside(f"{plan}, done")


async def parent(slots: asyncio.Semaphore, question: str) -> str:
    await outside(f"{question} arrives")
    async with slots:
        plan = await outside("plan")
        return await child(slots, plan)


async def main() -> None:
    slots = asyncio.Semaphore(2)
    await asyncio.gather(parent(slots, "first"), parent(slots, "second"))
