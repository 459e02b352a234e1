"""One condition for "there is room" and "there is an item", and ``notify()``: it may wake one who can't use it.

Two consumers wait; a producer puts and wakes the first; before that one is there a second producer comes, finds the
buffer full and waits as well. The first consumer's ``notify()`` then wakes the second consumer, not the producer.
Cure: ``notify_all()``, or a condition each.
"""

import asyncio

from linecook.testing import outside


class Buffer:
    """Room for one item."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.changed = asyncio.Condition()

    async def put(self, item: str) -> None:
        async with self.changed:
            while self.items:
                await self.changed.wait()
            self.items.append(item)
            self.changed.notify()

    async def get(self) -> str:
        async with self.changed:
            while not self.items:
                await self.changed.wait()
            item = self.items.pop()
            self.changed.notify()
            return item


async def producer(buffer: Buffer, question: str) -> None:
    await buffer.put(await outside(question))


async def main() -> None:
    buffer = Buffer()
    await asyncio.gather(buffer.get(), buffer.get(), producer(buffer, "why?"), producer(buffer, "how?"))
