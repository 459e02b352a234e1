"""Chapter 9, find the race: every order of events that can happen, until one goes wrong."""

import asyncio
import time

from linecook import Shared, run, tool
from linecook.testing import explore


# 1. The way people write it: ask what it costs, look what is left, pay.
class Purse:
    dollars = 100


@tool
def price_of(dish: str) -> int:
    time.sleep(0.001 if dish == "soup" else 0.1)  # two shops, and one always answers first
    return 60 if dish == "soup" else 70


@tool
def note(line: str) -> None:
    time.sleep(0.001)


async def buy(purse: Purse, dish: str) -> None:
    price = await price_of(dish)
    if purse.dollars >= price:  # look
        await note(f"bought {dish}")  # await
        purse.dollars -= price  # pay


async def dinner() -> None:
    purse = Purse()
    await asyncio.gather(buy(purse, "soup"), buy(purse, "roast"))
    assert purse.dollars >= 0, f"{purse.dollars} dollars left"


# 2. What really happens: it passes, and passes, and passes.
def passed(times: int) -> str:
    for dinners in range(times):
        try:
            run(dinner())
        except AssertionError as error:
            return f"dinner {dinners + 1}: {error}"
    return f"{times} of {times} within the budget"


# 3. linecook: look and pay in one step. What update() is given can't be interrupted.
def paid(left: int, price: int) -> int:
    if left < price:
        raise ValueError("too dear")
    return left - price


async def buy_at_once(dollars: Shared[int], dish: str) -> None:
    price = await price_of(dish)
    try:
        dollars.update(lambda left: paid(left, price))
    except ValueError:
        return
    await note(f"bought {dish}")


async def dinner_at_once() -> None:
    dollars = Shared(100)
    await asyncio.gather(buy_at_once(dollars, "soup"), buy_at_once(dollars, "roast"))
    assert dollars.value >= 0, f"{dollars.value} dollars left"


if __name__ == "__main__":
    print("1. a dinner for two")
    print(f"   {passed(1)}")
    print("2. ten more")
    print(f"   {passed(10)}")
    print("   every order in which the tools can answer:")
    print(explore(dinner))
    print("3. linecook")
    print(f"   {explore(dinner_at_once, schedules=500).verdict}")
