"""Tasks as the explored loop makes them: asyncio's own, with a number by which sets of them have one order everywhere.

``TaskGroup`` cancels its children and ``asyncio.wait`` hands tasks out in the order of a set, that is, of addresses. By
number that order is the one of creation, in every run and process.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Coroutine, Iterable
from contextvars import Context
from typing import Any, TypeVar

from .cancels import Request

T = TypeVar("T")

_Task: Any = asyncio.Task
_init: Any = _Task.__init__

# By which a group has its own parent stop waiting. It answers for that itself; up to 3.12 without taking it back.
_OF_GROUP: Any = getattr(asyncio.TaskGroup, "_on_task_done", _init).__code__


class ExploredTask(asyncio.Task[T]):
    """A task with a number: how many its loop had made before. Also stands in for ``asyncio.Task`` meanwhile.

    Attributes:
      number: that, from 0.
    """

    __slots__ = ("number",)

    def __init__(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        loop: Any = None,
        name: object = None,
        context: Context | None = None,
        eager_start: bool = False,
    ) -> None:
        if loop is None:
            loop = asyncio.get_running_loop()
        tasks: list[weakref.ref[ExploredTask[Any]]] | None = getattr(loop, "tasks", None)
        if tasks is None:
            self.number = id(self) >> 4
        else:
            self.number = len(tasks)
            tasks.append(weakref.ref(self))
            if name is None:
                name = f"Task-{self.number + 1}"
            if loop.tracer is not None:
                loop.tracer.task_made(self)
        if eager_start and sys.version_info >= (3, 12):
            _init(self, coro, loop=loop, name=name, context=context, eager_start=True)
        else:
            _init(self, coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.number

    def cancel(self, msg: Any | None = None) -> bool:
        task: Any = self
        waiter = task._fut_waiter
        asked = super().cancel(msg)
        loop: Any = self.get_loop()
        if asked and hasattr(loop, "cancels") and sys._getframe(1).f_code is not _OF_GROUP:
            loop.cancels.append(Request(self, waiter))
        return asked

    def uncancel(self) -> int:
        requests: list[Request] = getattr(self.get_loop(), "cancels", [])
        for request in reversed(requests):
            if request.task is self and not request.is_taken_back:
                request.is_taken_back = True
                break
        return super().uncancel()


class ExploredFuture(asyncio.Future[T]):
    """A future that users may put into a set: what ``run_in_executor`` returns."""

    number = 0

    def __hash__(self) -> int:
        return self.number


def ordered(given: Iterable[Any] = ()) -> Any:
    """Stand in for ``set`` in ``asyncio.tasks``: ``as_completed`` begins its coroutines in the order of a set."""
    kept = dict.fromkeys(given)
    return set(kept) if all(isinstance(one, asyncio.Future) for one in kept) else kept.keys()
