"""``set()`` and ``clear()`` in one breath: who isn't waiting at that moment never hears of it."""

import asyncio

from linecook.testing import outside


async def reader(published: asyncio.Event) -> None:
    await outside("prompt loaded")
    await published.wait()


async def editor(published: asyncio.Event) -> None:
    await outside("approved")
    published.set()
    published.clear()


async def main() -> None:
    published = asyncio.Event()
    await asyncio.gather(reader(published), editor(published))
