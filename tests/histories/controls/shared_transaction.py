"""A rule over two values, kept by ``transaction``: who comes second looks at what the first left."""

from linecook import Shared, agent, gather, tool, transaction
from linecook.testing import outside


@tool(effect="read")
async def approve(cents: int) -> bool:
    return await outside(cents < 100)


@agent
async def spend(own: Shared[int], other: Shared[int], cents: int) -> None:
    if not await approve(cents):
        return

    def take() -> None:
        if own.value + other.value >= cents:
            own.value -= cents

    transaction(take)


async def main() -> None:
    travel, books = Shared(40), Shared(40)
    await gather(spend(travel, books, 60), spend(books, travel, 60))
    assert travel.value + books.value >= 0
