"""``move_on_after`` around a slot taken by hand: time runs out at the call, and the slot is never given back."""

import asyncio

from linecook import agent, gather, move_on_after, tool
from linecook.testing import outside


@tool(effect="read")
async def ask(question: str) -> str:
    return await outside(f"answer to {question}")


@agent
async def asker(slots: asyncio.Semaphore, question: str) -> str | None:
    with move_on_after(10):
        await slots.acquire()
        answer = await ask(question)
        slots.release()
        return answer
    return None


async def main() -> None:
    slots = asyncio.Semaphore(1)
    await gather(asker(slots, question) for question in ("who?", "when?"))
    assert not slots.locked()
