"""An agent holds a model slot while its tool, on a thread, asks the loop for another answer: two slots, two agents."""

import asyncio

from linecook.testing import outside


async def ask(slots: asyncio.Semaphore, question: str) -> str:
    async with slots:
        return await outside(f"answer to {question}")


def tool(loop: asyncio.AbstractEventLoop, slots: asyncio.Semaphore, text: str) -> str:
    return asyncio.run_coroutine_threadsafe(ask(slots, text), loop).result()


async def agent(slots: asyncio.Semaphore, text: str) -> str:
    await outside("started")
    async with slots:
        return await asyncio.to_thread(tool, asyncio.get_running_loop(), slots, text)


async def main() -> None:
    slots = asyncio.Semaphore(2)
    await asyncio.gather(agent(slots, "who?"), agent(slots, "when?"))
