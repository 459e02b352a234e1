"""The flight is sold out, the trip is undone, and the hotel is booked all the same: ``gather`` cancels no sibling."""

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
        await asyncio.gather(book_hotel(trip), book_flight())
    except LookupError:
        trip.clear()
        await outside("the customer is told")
    assert trip == []
