"""Leaving ``async for`` doesn't close the generator: its connection stays taken while the agent wants another."""

import asyncio
from collections.abc import AsyncGenerator

from linecook.testing import outside


async def pages(connections: asyncio.Semaphore) -> AsyncGenerator[int, None]:
    async with connections:
        for number in range(2):
            yield await outside(number)


async def reader(connections: asyncio.Semaphore, enough: list[bool]) -> str:
    stream = pages(connections)
    async for _ in stream:
        if enough:
            break
    async with connections:
        return await outside("summary stored")


async def user(enough: list[bool]) -> None:
    for _ in range(3):
        await outside("reads along")
    enough.append(True)


async def main() -> None:
    connections, enough = asyncio.Semaphore(1), list[bool]()
    await asyncio.gather(reader(connections, enough), user(enough))
