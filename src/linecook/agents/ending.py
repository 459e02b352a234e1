"""Ending agents: asked politely, then cancelled, at most three times, and in the end left to the loop's supervisor."""

from __future__ import annotations

from collections.abc import Sequence

from .._core.supervise import MAX_RECANCELS, see_end, supervisor_of
from .child import Child


async def end_hard(children: Sequence[Child], reason: str) -> None:
    """Cancel *children*, the last first, and wait until all have ended, or have been asked in vain three times."""
    for child in reversed(children):
        child.stop_soon("it was stopped")
        child.cancel(reason)
    grace = max((child.grace for child in children), default=0.0)
    for asked in range(1, MAX_RECANCELS + 1):
        running = {child.task: child for child in children if child.task is not None}
        left = await see_end(running, grace)
        if asked == MAX_RECANCELS or not left:
            for task in left:
                _abandon(running[task], reason)
            return
        for task in left:
            task.cancel(reason)


async def end_for_a_while(child: Child) -> None:
    """Cancel *child*, to be started anew with a sibling that failed, and see it end as ``end_hard`` does."""
    child.cancel("sibling")
    for asked in range(1, MAX_RECANCELS + 1):
        task = child.task
        if task is None or not await see_end([task], child.grace):
            return
        if asked < MAX_RECANCELS:
            task.cancel("sibling")
    _abandon(child, "sibling")


def _abandon(child: Child, reason: str) -> None:
    if child.task is not None:
        supervisor_of(child.loop).adopt(child.task, child.name, reason, child.grace, MAX_RECANCELS)
        child.abandon(reason)
