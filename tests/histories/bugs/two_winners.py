"""Two offers are hedged, the first wins, the rest is cancelled: but the second may have booked before that."""

import asyncio

from linecook.testing import outside


async def book(hotel: str, booked: list[str]) -> None:
    await outside("free")
    booked.append(hotel)


async def main() -> None:
    booked = list[str]()
    tasks = {asyncio.create_task(book(hotel, booked)) for hotel in ("Adler", "Post")}
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(tasks)
    assert len(booked) == 1
