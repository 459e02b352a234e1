"""What a stage has under way on a loop with virtual time, and for how long by that loop's clock.

A call takes its times from the clock on the wall, which stands still while virtual hours pass. So there, and only
there, a stage looks at the loop's own clock when an item begins and when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .._core.callframe import CallFrame


class UnderWay(dict[CallFrame, "asyncio.Task[None]"]):
    """Calls and their tasks, as a fan-out keeps them.

    Args:
      now: the loop's clock.

    One that ends in the step in which it began was never here, and took no virtual time.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._since: dict[CallFrame, float] = {}
        self._seconds = 0.0

    def __setitem__(self, call: CallFrame, task: asyncio.Task[None]) -> None:
        self._since[call] = self._now()
        super().__setitem__(call, task)

    def __delitem__(self, call: CallFrame) -> None:
        super().__delitem__(call)
        self._note_end(call)

    def pop(self, call: CallFrame, *default: Any) -> Any:
        """Take *call* out, as ``dict.pop`` does."""
        task = super().pop(call, *default)
        self._note_end(call)
        return task

    def seconds(self) -> float:
        """Return for how long bodies ran, or run, summed: without what they waited for a limit, or between attempts."""
        now = self._now()
        return self._seconds + sum(self._of(call, now - since) for call, since in self._since.items())

    def _note_end(self, call: CallFrame) -> None:
        since = self._since.pop(call, None)
        if since is not None:
            self._seconds += self._of(call, self._now() - since)

    def _of(self, call: CallFrame, seconds: float) -> float:
        return max(0.0, seconds - call.queued) if call.attempts else 0.0


def under_way_on(loop: asyncio.AbstractEventLoop) -> UnderWay | None:
    """Return what keeps the calls of a stage on *loop*; None where the clock on the wall is the one that counts."""
    return UnderWay(loop.time) if getattr(loop, "is_virtual", False) else None
