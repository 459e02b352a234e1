"""The same counter without a lock: nothing is awaited between the read and the write."""

import asyncio

from linecook.testing import outside


async def agent(usage: dict[str, int], prompt: str) -> None:
    tokens = await outside(len(prompt))
    usage["tokens"] += tokens


async def main() -> None:
    usage = {"tokens": 0}
    await asyncio.gather(*(agent(usage, prompt) for prompt in ("plan", "review", "do")))
    assert usage["tokens"] == 12
