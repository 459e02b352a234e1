"""Budgets, charges and tenants, as type checkers see them. Checked, never run."""

from decimal import Decimal
from typing import assert_type

from linecook import budget, charge, tenant


async def blocks() -> None:
    with budget(usd=5, calls=100, tokens=1_000_000, depth=5, fan_out=64) as purse:
        assert_type(purse.spent.usd, float)
        assert_type(purse.spent.calls, int)
        assert_type(purse.left.usd, float | None)
        assert_type(purse.left.tokens, int | None)
    async with budget(usd=Decimal("0.10")), budget(calls=1):
        charge(100, 50, usd=Decimal("0.01"))
        charge(tokens_in=1)
    with tenant("kitchen-7"), tenant("other", weight=2):
        pass


def wrong() -> None:
    charge("100")  # type: ignore[arg-type]
    charge(tokens_in=1.5)  # type: ignore[arg-type]
    budget(calls=1.5)  # type: ignore[arg-type]
    tenant(7)  # type: ignore[arg-type]
