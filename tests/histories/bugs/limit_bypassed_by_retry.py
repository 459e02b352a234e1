"""A failed call is tried again outside the slot it was counted in: more calls are under way than there are slots."""

import asyncio

from linecook.testing import outside


class Provider:
    under_way = 0
    most = 0

    async def call(self, answer: str) -> str:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await outside(answer)
        finally:
            self.under_way -= 1


async def ask(provider: Provider, slots: asyncio.Semaphore, first: str) -> str:
    async with slots:
        answer = await provider.call(first)
    if answer == "429":
        answer = await provider.call("fine")
    return answer


async def main() -> None:
    provider, slots = Provider(), asyncio.Semaphore(2)
    await asyncio.gather(*(ask(provider, slots, first) for first in ("429", "fine", "fine")))
    assert provider.most <= 2
