"""A token bucket in floats, which sleeps for what is missing: it ends, however the sleeps are rounded."""

import asyncio

from linecook.testing import outside


class Bucket:
    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self.tokens, self.filled = 1.0, asyncio.get_running_loop().time()

    async def take(self) -> None:
        while True:
            now = asyncio.get_running_loop().time()
            self.tokens = min(1.0, self.tokens + (now - self.filled) * self.per_second)
            self.filled = now
            if self.tokens >= 1.0:
                self.tokens -= 1.0
                return
            await asyncio.sleep((1.0 - self.tokens) / self.per_second)


async def agent(bucket: Bucket, questions: int) -> None:
    for _ in range(questions):
        await bucket.take()
        await outside("answer")


async def main() -> None:
    bucket = Bucket(per_second=0.3)
    await asyncio.gather(agent(bucket, 2), agent(bucket, 1))
