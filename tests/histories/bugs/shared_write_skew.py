"""Two budgets, one rule over both: each agent reads both and writes one, so neither write is on a stale read.

Cure: ``transaction``, which validates what was read as well.
"""

from linecook import Shared, agent, gather, tool
from linecook.testing import outside


@tool(effect="read")
async def approve(cents: int) -> bool:
    return await outside(cents < 100)


@agent
async def spend(own: Shared[int], other: Shared[int], cents: int, thinks: int) -> None:
    for _ in range(thinks):
        await approve(0)
    if own.value + other.value >= cents and await approve(cents):
        own.update(lambda left: left - cents)


async def main() -> None:
    travel, books = Shared(40), Shared(40)
    await gather(spend(travel, books, 60, 0), spend(books, travel, 60, 2))
    assert travel.value + books.value >= 0
