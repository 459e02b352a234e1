"""A limiter of one call a second: who waited for the next window starts it, each anew, and two get in at once."""

import asyncio
from itertools import pairwise

from linecook.testing import outside


class Limiter:
    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self.began, self.used = 0.0, 0

    async def enter(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self.began + 1:
            self.began, self.used = now, 0
        elif self.used >= self.per_second:
            await asyncio.sleep(self.began + 1 - now)
            self.began, self.used = asyncio.get_running_loop().time(), 0
        self.used += 1


async def agent(limiter: Limiter, entered: list[float], thinks: int) -> None:
    for _ in range(thinks):
        await outside("thought")
    await limiter.enter()
    entered.append(asyncio.get_running_loop().time())
    await outside("answer")


async def main() -> None:
    limiter, entered = Limiter(per_second=1), list[float]()
    limiter.began = asyncio.get_running_loop().time()
    await asyncio.gather(agent(limiter, entered, 0), agent(limiter, entered, 2), agent(limiter, entered, 3))
    assert all(later - one >= 0.9 for one, later in pairwise(entered)), entered
