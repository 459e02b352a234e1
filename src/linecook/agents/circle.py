"""Agents that ask each other in a circle, found by looking at what their tasks wait for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .message import Message

if TYPE_CHECKING:
    from .mailbox import Mailbox

_LONGEST = 1000


def circle_of(asked: Mailbox, asker: asyncio.Task[Any] | None, question: object = None) -> list[str]:
    """Return the names of the agents that wait for each other, if *asker* closes a circle by waiting for *asked*.

    Args:
      asked: the mailbox to which the question goes.
      asker: the task that asks; None: found by *question*, which it awaits already.
      question: what that task waits on.

    Returns:
      *asked* first and last, in between whom it asks, and so on; empty when there is no circle.

    What each agent's own task waits for is read off the task, so asking costs nothing while all goes well. A circle
    through other tasks (a fan-out inside an agent) isn't seen; its deadlines end it.
    """
    names = [asked.name]
    box = asked
    for _ in range(_LONGEST):
        task = box.task
        if task is None:
            return []
        waits_on = getattr(task, "_fut_waiter", None)
        if task is asker or (question is not None and waits_on is question):
            return [*names, asked.name]
        if not isinstance(waits_on, Message) or waits_on.is_over:
            return []
        box = waits_on._mailbox  # pyright: ignore[reportPrivateUsage]
        names.append(box.name)
    return []
