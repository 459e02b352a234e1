"""The first caller loads for all and times out: the event that the others wait for is never set."""

import asyncio

from linecook.testing import outside


class Prices:
    def __init__(self) -> None:
        self.loaded: asyncio.Event | None = None
        self.value: int | None = None

    async def get(self) -> int | None:
        if self.loaded is None:
            self.loaded = asyncio.Event()
            self.value = await outside(42)
            self.loaded.set()
        else:
            await self.loaded.wait()
        return self.value


async def hurried(prices: Prices) -> int | None:
    try:
        async with asyncio.timeout(1):
            return await prices.get()
    except TimeoutError:
        return None


async def main() -> None:
    prices = Prices()
    await asyncio.gather(hurried(prices), prices.get())
