"""Two agents read and write across a ``sleep(0)``; only the number of hops on the way there keeps them apart."""

import asyncio


async def add(usage: dict[str, int], tokens: int, hops: int) -> None:
    for _ in range(hops):
        await asyncio.sleep(0)
    before = usage["tokens"]
    await asyncio.sleep(0)
    usage["tokens"] = before + tokens


async def main() -> None:
    usage = {"tokens": 0}
    await asyncio.gather(add(usage, 10, hops=0), add(usage, 20, hops=2))
    assert usage["tokens"] == 30
