"""A task group cancels and awaits the siblings of the one that failed: what was begun is undone before it is left."""

import asyncio

from linecook.testing import outside


async def book_hotel(trip: list[str]) -> None:
    await outside("confirmed")
    trip.append("hotel")


async def book_flight() -> None:
    await outside("answered")
    raise LookupError("sold out")


async def main() -> None:
    trip = list[str]()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(book_hotel(trip))
            group.create_task(book_flight())
    except* LookupError:
        trip.clear()
        await outside("the customer is told")
    assert trip == []
