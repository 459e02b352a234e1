"""Supervisor and workers: who fails is started anew, and only the item in hand is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from .._core.outcome import Settled
from ..agents.agent import agent
from ..agents.inbox import Inbox
from ..agents.message import Ask
from ..agents.ref import Ref
from ..agents.team import team
from ..tools.many import settle

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Job(Ask[Any]):
    """What ``supervise`` sends to a worker: the input, and the function that makes a call of it."""

    item: Any
    work: Callable[[Any], Coroutine[Any, Any, Any]]


@agent
async def _worker(inbox: Inbox[Job]) -> None:
    async for message in inbox:
        message.reply(await message.body.work(message.body.item))


async def supervise(
    work: Callable[[A], Coroutine[Any, Any, R]],
    items: Iterable[A],
    *,
    workers: int = 4,
    deliveries: int = 1,
    intensity: int = 100,
) -> Settled[R]:
    """Have a few long-lived workers do *items*, one at a time each; one that fails is started anew, and work goes on.

    When: the work may fail in ways that would spoil whoever does it, and a failure must cost its own item only.
    Without such state ``settle(..., limit=4)`` does the same with less.

    Args:
      work: makes a call for an item.
      items: pulled as workers become free; may be long.
      workers: how many, ≥ 1.
      deliveries: how often an item is tried before it is set aside; more than 1 only for what may be repeated.
      intensity: most restarts within 5 seconds; beyond that something is wrong with all of them.

    Returns:
      An outcome for each item, in input order: ``Failed`` with ``AgentFailed``, whose ``__cause__`` is the error.

    Raises:
      TeamFailed: more restarts than *intensity*.

    Source: Erlang/OTP's ``simple_one_for_one`` supervisor.
    """
    async with team(restart="one_for_one", intensity=intensity) as crew:
        free: asyncio.Queue[Ref[Job]] = asyncio.Queue()
        for _ in range(workers):
            free.put_nowait(crew.start(_worker(), deliveries=deliveries))

        async def hand_out(item: A) -> R:
            worker = await free.get()
            try:
                done: R = await worker.ask(Job(item, work))
                return done
            finally:
                free.put_nowait(worker)

        return await settle((hand_out(item) for item in items), limit=workers)
