"""A thread tool hands its page to the loop with ``call_soon_threadsafe``; only the loop touches list and event."""

import asyncio

from linecook.testing import outside


class Desk:
    def __init__(self) -> None:
        self.pages: list[str] = []
        self.changed = asyncio.Event()

    def take(self, page: str) -> None:
        self.pages.append(page)
        self.changed.set()


def load(loop: asyncio.AbstractEventLoop, desk: Desk, url: str) -> None:
    loop.call_soon_threadsafe(desk.take, f"<{url}>")


async def reader(desk: Desk, wanted: int) -> None:
    while len(desk.pages) < wanted:
        await desk.changed.wait()
        desk.changed.clear()
        await outside("shown")


async def main() -> None:
    loop, desk = asyncio.get_running_loop(), Desk()
    await asyncio.gather(reader(desk, 2), *(asyncio.to_thread(load, loop, desk, url) for url in ("a", "b")))
