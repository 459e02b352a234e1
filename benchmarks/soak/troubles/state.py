"""Cells that a hundred agents write at once, with edits that are overtaken, and a reader that leaves."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from benchmarks.soak.kitchen import Kitchen, every
from linecook import agent, settle, transaction
from linecook.errors import TimedOutError


@agent
async def adds(kitchen: Kitchen, number: int) -> None:
    kitchen.total.update(lambda total: total + 1)
    kitchen.by_key.update(f"key {number % 50}", lambda count: count + 1, default=0)

    def pays() -> None:
        kitchen.purse.value -= 1
        kitchen.spent.value += 1

    transaction(pays)
    await asyncio.sleep(0)
    if number % 10 == 0:
        async with kitchen.total.edit() as draft:
            await asyncio.sleep(0.001)
            draft.value = draft.value


@every(0.4)
async def shared_by_many(kitchen: Kitchen) -> None:
    """A hundred agents write the same cells, some lose their edit, somebody watches and leaves."""
    reader = asyncio.create_task(_reads_changes(kitchen))
    await settle(adds(kitchen, number) for number in range(100))
    with suppress(TimedOutError):
        await kitchen.total.wait_for(lambda total: total < 0, timeout=0.01)
    reader.cancel()
    await asyncio.wait([reader])
    together = transaction(lambda: kitchen.purse.value + kitchen.spent.value)
    kitchen.expect(together == 10**9, f"money was made: {together}")
    kitchen.calls += 100


async def _reads_changes(kitchen: Kitchen) -> None:
    async for _ in kitchen.total.changes():
        pass
