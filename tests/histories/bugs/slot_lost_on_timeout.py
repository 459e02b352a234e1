"""``acquire``, call, ``release``, without ``finally``: a time-out keeps the slot, and the next caller waits for it."""

import asyncio

from linecook.testing import outside


async def fetch(slots: asyncio.Semaphore, url: str) -> str:
    await slots.acquire()
    page = await outside(f"<{url}>")
    slots.release()
    return page


async def main() -> None:
    slots = asyncio.Semaphore(1)
    try:
        async with asyncio.timeout(5):
            await fetch(slots, "a.example")
    except TimeoutError:
        pass
    await fetch(slots, "b.example")
