"""Three agents buy from one budget: each checks what is left, pays, and only then takes it off.

Any two of them can; all three overdraw it. Cure: take it off before the call, give it back when the call fails.
"""

import asyncio

from linecook.testing import outside


class Budget:
    left = 100


budget = Budget()


async def buyer(price: int, quotes: int) -> None:
    for _ in range(quotes):
        await outside(price)
    if budget.left >= price:
        await outside("paid")
        budget.left -= price


async def main() -> None:
    budget.left = 100
    await asyncio.gather(buyer(40, quotes=1), buyer(40, quotes=2), buyer(40, quotes=4))


def invariant() -> bool:
    return budget.left >= 0
