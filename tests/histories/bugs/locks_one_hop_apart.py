"""Two locks in opposite orders, kept apart by the number of ``sleep(0)`` on each side alone."""

import asyncio


async def take(first: asyncio.Lock, second: asyncio.Lock, hops: int) -> None:
    for _ in range(hops):
        await asyncio.sleep(0)
    async with first:
        await asyncio.sleep(0)
        async with second:
            await asyncio.sleep(0)


async def main() -> None:
    inbox, shelf = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(take(inbox, shelf, hops=0), take(shelf, inbox, hops=3))
