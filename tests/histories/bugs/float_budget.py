"""Shares of 0.6 are added up as they come in; whether the sum is 0.6 in floats depends on the order."""

import asyncio

from linecook.testing import outside


class Work:
    def __init__(self) -> None:
        self.share = 0.0
        self.complete = asyncio.Event()

    def add(self, share: float) -> None:
        self.share += share
        if self.share == 0.6:
            self.complete.set()


async def part(work: Work, share: float) -> None:
    await outside("done")
    work.add(share)


async def main() -> None:
    work = Work()
    await asyncio.gather(work.complete.wait(), *(part(work, share) for share in (0.2, 0.3, 0.1)))
