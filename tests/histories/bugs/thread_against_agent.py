"""A tool on a thread and an agent on the loop add to one total; the agent's read is older than the tool's write."""

import asyncio

from linecook.testing import outside


class Bill:
    cents = 0


def add_tax(bill: Bill) -> None:
    bill.cents += 19


async def add_item(bill: Bill) -> None:
    before = bill.cents
    price = await outside(100)
    bill.cents = before + price


async def main() -> None:
    bill = Bill()
    await asyncio.gather(add_item(bill), asyncio.to_thread(add_tax, bill))
    assert bill.cents == 119
