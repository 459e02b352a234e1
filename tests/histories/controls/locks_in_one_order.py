"""Two locks, always taken in the same order."""

import asyncio

from linecook.testing import outside


async def move(inbox: asyncio.Lock, shelf: asyncio.Lock) -> None:
    await outside("asked for")
    async with inbox:
        await outside("notes")
        async with shelf:
            await outside("stored")


async def main() -> None:
    inbox, shelf = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(move(inbox, shelf), move(inbox, shelf))
