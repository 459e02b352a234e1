"""Tasks as the explored loop makes them: asyncio's own, with a number by which sets of them have one order everywhere.

``TaskGroup`` cancels its children and ``asyncio.wait`` hands tasks out in the order of a set, that is, of addresses. By
number that order is the one of creation, in every run and process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .loop import ExploredLoop

T = TypeVar("T")


class ExploredTask(asyncio.Task[T]):
    """A task with a number: how many its loop had made before.

    Attributes:
      number: that, from 0.
      path: how a token calls it: ``0`` for main, ``0.2`` for the third task that main made; empty without a tracer.
      made: tasks it has made so far.
      asked: arrivals it has asked for so far.
      steps: steps it has made so far.
    """

    __slots__ = ("asked", "made", "number", "path", "steps")

    def __init__(
        self, coro: Coroutine[Any, Any, T], loop: ExploredLoop, number: int, name: object, context: Context | None
    ) -> None:
        self.number = number
        if name is None:
            name = f"Task-{number + 1}"
        super().__init__(coro, loop=loop, name=name, context=context)  # type: ignore[arg-type]  # any object names one

    def __hash__(self) -> int:
        return self.number


class ExploredFuture(asyncio.Future[T]):
    """A future that users may put into a set: what ``run_in_executor`` returns."""

    number = 0

    def __hash__(self) -> int:
        return self.number
