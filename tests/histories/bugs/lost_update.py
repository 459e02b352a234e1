"""Two agents add their tokens to one total: each reads it before its call and writes it after.

The second write doesn't know of the first. Cure: read after the call, or ``Shared.update``.
"""

import asyncio

from linecook.testing import outside


async def agent(usage: dict[str, int], prompt: str) -> None:
    before = usage["tokens"]
    tokens = await outside(len(prompt))  # the model's answer says what it cost
    usage["tokens"] = before + tokens


async def main() -> None:
    usage = {"tokens": 0}
    await asyncio.gather(agent(usage, "plan"), agent(usage, "review"))
    assert usage["tokens"] == len("plan") + len("review")
