"""``first`` over two bookings on threads: the loser can't be stopped, and books as well. Hedge reads, not writes."""

from linecook import first, tool


@tool
def book(hotel: str, booked: list[str]) -> str:
    booked.append(hotel)
    return hotel


async def main() -> None:
    booked = list[str]()
    await first(book("Adler", booked), book("Post", booked))
    assert len(booked) == 1
