"""Five agents with a long way to the till: only when four of them have looked before any has paid is too much spent."""

import asyncio

from linecook.testing import outside


class Budget:
    left = 100


async def buyer(budget: Budget, price: int, quotes: int) -> None:
    for _ in range(quotes):
        await outside(price)
    if budget.left >= price:
        await outside("paid")
        budget.left -= price


async def main() -> None:
    budget = Budget()
    await asyncio.gather(*(buyer(budget, 30, quotes) for quotes in (1, 3, 5, 7, 9)))
    assert budget.left >= 0
