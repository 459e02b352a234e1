"""The batch is sent, then cleared: what was added while it was on its way is cleared with it."""

import asyncio

from linecook.testing import outside


class Batcher:
    def __init__(self) -> None:
        self.items: list[str] = []
        self.sent: list[str] = []

    async def add(self, item: str) -> None:
        self.items.append(item)
        if len(self.items) == 2:
            self.sent += self.items
            await outside("accepted")
            self.items.clear()


async def agent(batcher: Batcher, name: str, thinks: int) -> None:
    for _ in range(thinks):
        await outside("thought")
    await batcher.add(name)


async def main() -> None:
    batcher = Batcher()
    await asyncio.gather(*(agent(batcher, name, thinks) for thinks, name in enumerate(("a", "b", "c"), 1)))
    assert sorted(batcher.sent + batcher.items) == ["a", "b", "c"]
