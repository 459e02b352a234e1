"""Read, call and write under one lock."""

import asyncio

from linecook.testing import outside


async def agent(usage: dict[str, int], lock: asyncio.Lock, prompt: str) -> None:
    async with lock:
        before = usage["tokens"]
        tokens = await outside(len(prompt))
        usage["tokens"] = before + tokens


async def main() -> None:
    usage, lock = {"tokens": 0}, asyncio.Lock()
    await asyncio.gather(*(agent(usage, lock, prompt) for prompt in ("plan", "review", "do")))
    assert usage["tokens"] == 12
