"""The total is read, saved over the network, and only then written back; the agents usually get there one by one."""

import asyncio

from linecook.testing import outside


async def record(usage: dict[str, int], tokens: int) -> None:
    total = usage["tokens"] + tokens
    await outside(None)  # saved
    usage["tokens"] = total


async def planner(usage: dict[str, int]) -> None:
    await record(usage, await outside(10))


async def critic(usage: dict[str, int]) -> None:
    for tokens in (20, 30):
        await outside(None)  # reads a draft before it asks the model
        await record(usage, await outside(tokens))


async def main() -> None:
    usage = {"tokens": 0}
    await asyncio.gather(planner(usage), critic(usage))
    assert usage["tokens"] == 60
