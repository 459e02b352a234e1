"""Three rooms, three guides, each from one room to the next; two visitors come and go. Each holds one, all wait."""

import asyncio

from linecook.testing import outside


async def guide(here: asyncio.Lock, there: asyncio.Lock, breaks: int) -> None:
    for _ in range(breaks):
        await outside("a break")
    async with here:
        await outside("tells a story")
        async with there:
            await outside("tells another")


async def visitor(rooms: list[asyncio.Lock]) -> None:
    for room in rooms:
        await outside("walks")
        async with room:
            pass


async def main() -> None:
    hall, tower, cellar = rooms = [asyncio.Lock() for _ in range(3)]
    await asyncio.gather(
        guide(hall, tower, 0),
        guide(tower, cellar, 3),
        guide(cellar, hall, 6),
        visitor(rooms),
        visitor(rooms[::-1]),
    )
