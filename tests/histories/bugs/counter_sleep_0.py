"""The counter of every tutorial: read, ``sleep(0)``, write. A stock loop alternates strictly and always loses half."""

import asyncio


class Counter:
    def __init__(self) -> None:
        self.value = 0

    async def increment(self) -> None:
        current = self.value
        await asyncio.sleep(0)
        self.value = current + 1


async def agent(counter: Counter, times: int) -> None:
    for _ in range(times):
        await counter.increment()


async def main() -> None:
    counter = Counter()
    await asyncio.gather(agent(counter, 3), agent(counter, 3))
    assert counter.value == 6
