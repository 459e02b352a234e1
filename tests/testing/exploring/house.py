"""What the tests of our own house share: every order within two overtakings, or the budget that a test states."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from linecook.testing import Exploration, explore, outside

Main = Callable[[], Awaitable[Any]]


def in_every_order(main: Main, **options: Any) -> Exploration:
    """Explore *main* in the stock tier at two overtakings to the end, and fail if there is no end within reach."""
    found = explore(main, **{"seconds": 30, **options}).check()
    assert found.exhausted, f"not all schedules: {found.verdict}"
    return found


class Kitchen:
    """Counts what is at work, so that nothing is left behind and no bound passed; made afresh in each schedule."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.begun: list[str] = []
        self.at_work: list[str] = []

    async def cook(self, dish: str) -> str:
        """Work until the answer comes from outside."""
        self.begun.append(dish)
        self.at_work.append(dish)
        assert self.most is None or len(self.at_work) <= self.most, f"{self.at_work} at once"
        try:
            return await outside(dish)
        finally:
            self.at_work.remove(dish)

    async def tidy(self, dish: str) -> str:
        """Work, and clean up with an await of its own."""
        try:
            return await self.cook(dish)
        finally:
            self.at_work.append(f"clean-up of {dish}")
            try:
                await asyncio.sleep(
                    0
                )  # turns, not seconds: what takes longer than its grace is handed on, and tells so
            finally:
                self.at_work.remove(f"clean-up of {dish}")

    async def burn(self, dish: str) -> str:
        """Work, and fail."""
        await self.cook(dish)
        raise ValueError(dish)

    def is_quiet(self) -> bool:
        """Say whether nothing is at work any more."""
        return not self.at_work
