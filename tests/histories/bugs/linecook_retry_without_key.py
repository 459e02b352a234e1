"""The tool says ``effect="keyed"`` so that it may be retried, and then doesn't send the key: paid twice."""

import asyncio

from linecook import Retry, errors, tool
from linecook.testing import outside


class Bank:
    def __init__(self) -> None:
        self.paid: list[int] = []
        self.under_way: list[asyncio.Task[None]] = []

    def transfer(self, cents: int) -> asyncio.Task[None]:
        self.under_way.append(asyncio.create_task(self._transfer(cents)))
        return self.under_way[-1]

    async def _transfer(self, cents: int) -> None:
        await outside("booked")
        self.paid.append(cents)


@tool(effect="keyed", attempt_timeout=5, retry=Retry(on=errors.TimedOutError, attempts=2))
async def pay(bank: Bank, cents: int) -> None:
    await asyncio.shield(bank.transfer(cents))


async def main() -> None:
    bank = Bank()
    try:
        await pay(bank, 1900)
    except errors.TimedOutError:
        pass
    await asyncio.gather(*bank.under_way)
    assert len(bank.paid) <= 1
