"""A broad ``except`` around a tool call takes the user's "stop" for a failed search, and searches on."""

import asyncio

from linecook.testing import outside


async def search(query: str) -> str:
    return await outside(f"hits for {query}")


async def researcher(notes: list[str]) -> None:
    for query in ("prices", "rivals"):
        try:
            notes.append(await search(query))
        except BaseException:
            notes.append("nothing found")


async def main() -> None:
    notes = list[str]()
    work = asyncio.create_task(researcher(notes))
    for _ in range(3):
        await outside("the user reads along")
    work.cancel()
    await asyncio.wait({work})
