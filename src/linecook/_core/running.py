"""One call in a task of its own: started, cancelled with a reason, and ended as an outcome, exactly once.

Fan-outs, scopes and tools with a time-out all run their bodies through here.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

from .callframe import CallFrame
from .endings import contained
from .errors import Work
from .outcome import Cancelled, Failed, Ok, Outcome, failure_from

T = TypeVar("T")


@types.coroutine
def _primer() -> Generator[None, None, None]:
    yield


class Running(Generic[T]):
    """A call under way in its own task and context.

    Attributes:
      task: the task; None until ``start``.
      outcome: how it ended; None until then.
      reason: why it was asked to end; None when nobody asked.
    """

    __slots__ = ("__weakref__", "_on_end", "call", "outcome", "reason", "task")

    def __init__(self, call: CallFrame, on_end: Callable[[Running[T]], None]) -> None:
        self.call = call
        self._on_end = on_end
        self.task: asyncio.Task[None] | None = None
        self.outcome: Outcome[T] | None = None
        self.reason: str | None = None

    def start(
        self, body: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, context: Context | None
    ) -> asyncio.Task[None]:
        """Begin *body*; ``on_end`` is called within the very step in which it ends."""
        driver = self._drive(body)
        # Run up to the first yield, so that a task cancelled before its first step still passes through the handlers
        # below: a done-callback would see that too, and costs 0.6 µs an agent (benchmarks: fanout_100k).
        driver.send(None)
        self.task = loop.create_task(driver, context=context)
        return self.task

    async def _drive(self, body: Coroutine[Any, Any, T]) -> None:
        try:
            await _primer()
            value = await body
        except asyncio.CancelledError as error:
            body.close()
            self._end(self._cancelled(error))
        except BaseException as error:
            self._end(failure_from(contained(error, repr(self.call), self.call), self.call))
        else:
            self._end(Ok(value, self.call))

    def _cancelled(self, error: asyncio.CancelledError) -> Outcome[T]:
        if self.reason is None and (self.task is None or not self.task.cancelling()):
            return Failed(contained(error, repr(self.call), self.call), self.call)
        return Cancelled(self.reason or "caller", self.call, work=self.left)

    @property
    def left(self) -> Work:
        """What a cancellation left of the body: ``not started``, ``stopped``, or ``abandoned`` in some thread."""
        if self.call.left_behind:
            return "abandoned"
        return "stopped" if self.call.attempts else "not started"

    def _end(self, outcome: Outcome[T]) -> None:
        if self.outcome is None:
            self.outcome = outcome
            on_end, self._on_end = self._on_end, _ignore
            on_end(self)

    def end_as(self, outcome: Outcome[T]) -> None:
        """Settle the outcome without waiting for the body: it resists, and its real end will be ignored."""
        self._end(outcome)

    def cancel(self, reason: str) -> None:
        """Ask the body to end, once; does nothing when it has ended. The first reason given is the one reported."""
        task = self.task
        if self.outcome is None and task is not None and not task.done():
            if self.reason is None:
                self.reason = reason
            task.cancel(reason)


def _ignore(_running: Running[Any]) -> None:
    return None
