"""A transfer takes from one account, asks the bank, and gives to the other; a report in between misses the money."""

import asyncio

from linecook.testing import outside


async def transfer(accounts: dict[str, int], cents: int) -> None:
    await outside("ordered")
    accounts["giro"] -= cents
    await outside("the bank confirms")
    accounts["savings"] += cents


async def report(accounts: dict[str, int]) -> int:
    await outside("template")
    await outside("rates")
    await outside("names")
    return sum(accounts.values())


async def main() -> None:
    accounts = {"giro": 100, "savings": 0}
    _, total = await asyncio.gather(transfer(accounts, 30), report(accounts))
    assert total == 100
