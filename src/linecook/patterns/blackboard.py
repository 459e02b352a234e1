"""Blackboard: experts add to one value, each when it can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

from .._core.errors import Undecided
from .._core.scope import scope
from ..tools.many import gather

R = TypeVar("R")


class Blackboard(Generic[R]):
    """What several agents read and write, each when it has something to add; made by ``blackboard``.

    It holds one value that nobody changes in place: a tuple, a frozen dataclass. On one event loop.
    """

    def __init__(self, value: R) -> None:
        self._value = value
        self._waiters: list[tuple[Callable[[R], bool], asyncio.Future[R]]] = []

    @property
    def value(self) -> R:
        """What stands there now."""
        return self._value

    def update(self, change: Callable[[R], R]) -> R:
        """Replace the value by what *change* makes of it, and return that; nothing comes in between."""
        self._value = change(self._value)
        for condition, waiter in self._waiters:
            if not waiter.done() and condition(self._value):
                waiter.set_result(self._value)
        return self._value

    async def wait_until(self, condition: Callable[[R], bool]) -> R:
        """Wait until *condition* holds, and return the value for which it held first; at once if it holds now."""
        if condition(self._value):
            return self._value
        found: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiters.append((condition, found))
        try:
            return await found
        finally:
            self._waiters.remove((condition, found))


async def blackboard(
    start: R,
    experts: Iterable[Callable[[Blackboard[R]], Coroutine[Any, Any, None]]],
    *,
    done: Callable[[R], bool],
) -> R:
    """Let several experts work on one value, each adding what it can when it can, until it is *done*.

    When: nobody knows beforehand in which order the parts of an answer will come, or who can add to whose.

    Args:
      start: what stands on the board at first; a value that nobody changes in place.
      experts: each is given the board: it waits with ``wait_until`` and writes with ``update``.
      done: says whether a value is the answer; then the experts are cancelled.

    Returns:
      The first value that was done.

    Raises:
      Undecided: all experts have returned, and it isn't.
      what an expert raises, or ``done``; the others are cancelled.

    Source: Erman et al., "The Hearsay-II Speech-Understanding System", 1980.
    """
    board = Blackboard(start)

    async def work() -> None:
        await gather((expert(board) for expert in experts), limit=None)
        if not done(board.value):
            raise Undecided("all experts have returned, and what stands on the board isn't done")

    async with scope() as working:
        working.start(work())
        answer = await board.wait_until(done)
        working.cancel()
    return answer
