"""``aclosing`` gives the connection back when the loop is left, whenever that is."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from linecook.testing import outside


async def pages(connections: asyncio.Semaphore) -> AsyncGenerator[int, None]:
    async with connections:
        for number in range(2):
            yield await outside(number)


async def reader(connections: asyncio.Semaphore, enough: list[bool]) -> str:
    async with aclosing(pages(connections)) as stream:
        async for _ in stream:
            if enough:
                break
    async with connections:
        return await outside("summary stored")


async def user(enough: list[bool]) -> None:
    await outside("reads along")
    enough.append(True)


async def main() -> None:
    connections, enough = asyncio.Semaphore(1), list[bool]()
    await asyncio.gather(reader(connections, enough), user(enough))
