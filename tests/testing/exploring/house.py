"""What the tests of our own house share: every order of a program's events."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from linecook.testing import Exploration, explore, outside

Main = Callable[[], Awaitable[Any]]


SECONDS = float(os.environ.get("HOUSE_SECONDS", "0.5"))
"""How long each program is explored at two overtakings, beyond all its orders at one. `make explored` says 600: all
orders at two must then have been tried, which takes some programs half a minute each."""


def in_every_order(main: Main, seconds: float = 240, **options: Any) -> Exploration:
    """Explore *main* in the stock tier: all orders at one overtaking, and those at two as far as ``SECONDS`` reach.

    A test that says ``overtakings=`` has all orders at just that many.
    """
    found = explore(main, **{"overtakings": 1, **options}, seconds=seconds).check()
    assert found.exhausted, f"not all schedules: {found.verdict}"
    if "overtakings" not in options and SECONDS:
        found = explore(main, **options, overtakings=2, seconds=SECONDS).check()
        assert found.exhausted or SECONDS < 600, f"not all schedules: {found.verdict}"
    return found


async def cancelled_sometime(task: asyncio.Future[Any]) -> bool:
    """Cancel *task* at some moment, and see it end; return whether it was still there to be asked."""
    await outside("the cancel")
    asked = task.cancel()
    await asyncio.wait([task])
    return asked


class Kitchen:
    """Counts what is at work, so that nothing is left behind and no bound passed; made afresh in each schedule.

    Attributes:
      begun, served: what was, in order.
      at_work: what is being cooked or cleaned up.
      crowded: what was at work when there was more of it than *most*; kept, since whoever cooks may be restarted.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.begun: list[str] = []
        self.served: list[str] = []
        self.at_work: list[str] = []
        self.crowded: list[str] = []

    async def cook(self, dish: str) -> str:
        """Work until the answer comes from outside."""
        self.begun.append(dish)
        self.at_work.append(dish)
        if self.most is not None and len(self.at_work) > self.most:
            self.crowded += self.at_work
            raise AssertionError(f"{self.at_work} at once")
        try:
            await outside(dish)
            self.served.append(dish)
            return dish
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
        """Say whether nothing is at work any more, and never was more than may be."""
        return not self.at_work and not self.crowded
