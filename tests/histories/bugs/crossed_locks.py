"""A moves notes from the inbox to the archive, B restores one: both lock both, in the opposite order."""

import asyncio

from linecook.testing import outside


async def archive(inbox: asyncio.Lock, shelf: asyncio.Lock) -> None:
    async with inbox:
        await outside("notes")
        async with shelf:
            await outside("stored")


async def restore(inbox: asyncio.Lock, shelf: asyncio.Lock) -> None:
    await outside("the user asks for a note")
    async with shelf:
        await outside("note")
        async with inbox:
            await outside("restored")


async def main() -> None:
    inbox, shelf = asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(archive(inbox, shelf), restore(inbox, shelf))
