"""What the tests of our own pipelines share: a belt that counts what is on it and knows the fate of every item."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from typing import Any

from linecook._core.supervise import supervisor_of
from linecook.pipeline.dead_item import DeadItem
from linecook.testing import outside
from tests.testing.exploring.house import Kitchen


class Belt(Kitchen):
    """Items between a source and whoever takes them; made afresh in each schedule.

    Args:
      most: bodies at work at once, over all stages.
      inside: items read and not yet off the belt; None: nobody counts them.
    """

    def __init__(self, most: int | None = None, inside: int | None = None) -> None:
        super().__init__(most)
        self.inside = inside
        self.read: list[str] = []
        self.out: list[str] = []
        self.opened = self.closed = 0
        self._loop = asyncio.get_running_loop()
        self._closed_now: asyncio.Future[None] | None = None

    # -- sources -----------------------------------------------------------------------------------------------------

    def crate(self, dishes: Sequence[str]) -> list[str]:
        """Return *dishes* as a container, read on the loop; who reads is counted."""
        return _Crate(self, dishes)

    async def deliveries(self, dishes: Sequence[str], *, slow: bool = False) -> AsyncIterator[str]:
        """Yield *dishes*; each after an answer from outside when they are *slow*."""
        self.opened += 1
        try:
            for dish in dishes:
                if slow:
                    await outside(f"delivery of {dish}")
                self.load(dish)
                yield dish
        finally:
            self.closed += 1

    def shelf(self, dishes: Sequence[str]) -> Iterator[str]:
        """Yield *dishes* on whatever thread pulls; it may lose its turn at each, and nowhere else: that is enough."""
        self.opened += 1
        try:
            for dish in dishes:
                self.read.append(dish)
                yield dish
        finally:
            self.closed += 1
            self._loop.call_soon_threadsafe(self._tell_closed)

    async def wait_closed(self) -> None:
        """Wait until the shelf is closed: by a thread in the middle of a pull, when it comes back to it."""
        while self.opened > self.closed:
            self._closed_now = asyncio.get_running_loop().create_future()
            await self._closed_now

    def _tell_closed(self) -> None:
        if self._closed_now is not None and not self._closed_now.done():
            self._closed_now.set_result(None)

    def load(self, dish: str) -> None:
        """Note that *dish* comes onto the belt."""
        self.read.append(dish)
        held = len(self.read) - len(self.out)
        assert self.inside is None or held <= self.inside, f"{held} on the belt: {self.read[-held:]}"

    # -- what takes them off -----------------------------------------------------------------------------------------

    async def cook_at_once(self, dish: str) -> str:
        """Work without waiting: of so many answers each order would be too many."""
        self.begun.append(dish)
        return dish

    async def serve(self, dish: str) -> None:
        """Take *dish* off the belt, when the answer from outside comes."""
        await self.cook(dish)
        self.out.append(dish)

    # -- what must hold ----------------------------------------------------------------------------------------------

    def is_told(self, dead: Sequence[DeadItem] = (), *, ended: bool = True, once: bool = True) -> bool:
        """Say whether each item has one fate: it came out, or was set aside, or (unless *ended*) went no further.

        *once*: and no body was begun twice with one item; where a stage may try again that is no promise.
        """
        fates = self.out + [str(letter.value) for letter in dead]
        assert len(set(fates)) == len(fates), f"told twice: {fates}"
        assert set(fates) <= set(self.read), f"never read: {set(fates) - set(self.read)}"
        assert not ended or set(fates) == set(self.read), f"lost: {set(self.read) - set(fates)}"
        assert not once or len(set(self.begun)) == len(self.begun), f"begun twice: {self.begun}"
        assert self.opened == self.closed <= 1, f"opened {self.opened} times, closed {self.closed} times"
        assert not self.at_work, f"still at work: {self.at_work}"
        return True


class _Crate(list[str]):
    def __init__(self, belt: Belt, dishes: Sequence[str]) -> None:
        super().__init__(dishes)
        self._belt = belt

    def __iter__(self) -> Iterator[str]:
        for dish in super().__iter__():
            self._belt.load(dish)
            yield dish


async def all_handed_on() -> None:
    """Wait for what was too slow for its grace, and see that somebody has taken it over: a thread, as a rule."""
    me, loop = asyncio.current_task(), asyncio.get_running_loop()
    while left := asyncio.all_tasks() - {me}:
        supervisor = supervisor_of(loop)
        known = {*supervisor.tasks, *supervisor._asked.values()}
        assert left <= known, f"nobody sees to {left - known}"
        await asyncio.wait(left)


async def cancelled_at_some_moment(reading: Awaitable[Any]) -> None:
    """Run *reading* in a task and cancel it at some moment; it ends cancelled if it was there to be asked."""
    task = asyncio.ensure_future(reading)
    await outside("the cancel")
    asked = task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() == asked
    if not asked:
        task.result()
