"""A program that polls: it goes on sleeping until the answer is there, and then it ends."""

import asyncio

from linecook.testing import outside


async def job(state: dict[str, bool]) -> None:
    await outside("rendered")
    state["ready"] = True


async def main() -> None:
    state = {"ready": False}
    running = asyncio.create_task(job(state))
    while not state["ready"]:
        await asyncio.sleep(0.5)
    await running
