"""``outside``: an await whose completion comes from outside, for stand-ins of tools, models and services."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from .loop.arrivals import Answer
from .loop.loop import ExploredLoop

T = TypeVar("T")


async def outside(value: T = None, *, raises: BaseException | None = None, name: str = "") -> T:  # type: ignore[assignment]
    """Wait for an answer from outside, as one waits for a model, a database or the network; return *value*.

    Under ``explore`` the answer comes when the schedule says so: before or after every other answer, and before or
    after whatever is ready. On any other loop it comes in one of the next turns.

    Args:
      value: the answer.
      raises: what the wait raises instead.
      name: how a report calls it; empty: by its place.

    Raises:
      InjectedFault: under ``explore(faults=...)``, when the schedule has it fail.

    Cancelling the wait gives the answer up.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    if isinstance(loop, ExploredLoop):
        if not name and loop.tracer is not None:  # a repr costs more than all of the rest (benchmarks: explore)
            name = f"outside({value!r})"
        loop.expect(Answer(name, future, value, raises))
    else:
        loop.call_later(0, Answer(name, future, value, raises).tell)
    return await future
