"""A time-out and a cancel at any await; ``async with`` gives the slot back whatever happens."""

import asyncio

from linecook.testing import outside


async def fetch(slots: asyncio.Semaphore, url: str) -> str | None:
    try:
        async with asyncio.timeout(5):
            async with slots:
                return await outside(f"<{url}>")
    except TimeoutError:
        return None


async def main() -> None:
    slots = asyncio.Semaphore(1)
    tasks = [asyncio.create_task(fetch(slots, url)) for url in ("a.example", "b.example", "c.example")]
    await outside("the user closes a tab")
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert not slots.locked()
    assert await fetch(slots, "d.example") in (None, "<d.example>")
