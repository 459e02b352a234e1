"""``remember`` holds the lock and, only when the memory is full, calls ``compact``, which takes it again."""

import asyncio

from linecook.testing import outside


class Memory:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.facts: list[str] = []

    async def remember(self, fact: str) -> None:
        async with self.lock:
            if len(self.facts) == 2:
                await self.compact()
            self.facts.append(fact)

    async def compact(self) -> None:
        async with self.lock:
            self.facts = [await outside("summary")]

    async def forget(self) -> None:
        async with self.lock:
            self.facts.clear()


async def learner(memory: Memory) -> None:
    for fact in ("who", "when", "where"):
        await memory.remember(await outside(fact))


async def editor(memory: Memory) -> None:
    await outside("the user asks to forget")
    await memory.forget()


async def main() -> None:
    memory = Memory()
    await asyncio.gather(learner(memory), editor(memory))
