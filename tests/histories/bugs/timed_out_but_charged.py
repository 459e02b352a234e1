"""The time-out says "failed" to the customer; the payment behind the shield goes through a moment later."""

import asyncio

from linecook.testing import outside


async def charge(bank: list[int], cents: int) -> None:
    await outside("the bank answers")
    bank.append(cents)


async def main() -> None:
    bank = list[int]()
    payment = asyncio.create_task(charge(bank, 1900))
    try:
        async with asyncio.timeout(5):
            await asyncio.shield(payment)
        state = "paid"
    except TimeoutError:
        state = "failed"
    await payment
    assert (state == "paid") == bool(bank)
