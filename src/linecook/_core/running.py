"""One call in a task of its own: started, cancelled with a reason, and ended as an outcome, exactly once.

Scopes run their calls through ``Running``; fan-outs drive theirs themselves (fewer objects for each of 100,000) and
share with it how an end is told: ``outcome_of``.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from time import monotonic
from typing import Any, Generic, TypeVar

from .callframe import CallFrame
from .endings import cancellation_requested, operators_word
from .errors import Work
from .outcome import Cancelled, Ok, Outcome, failure_from

T = TypeVar("T")


@types.coroutine
def primer() -> Generator[None, None, None]:
    """Wait where ``send(None)`` brings a new coroutine: inside its handlers, before its work."""
    yield


def outcome_of(
    call: CallFrame, body: Coroutine[Any, Any, Any], error: BaseException, reason: str | None
) -> Outcome[Any]:
    """Return the outcome of *call*, whose *body* ended with *error*; to be called from the coroutine that awaited it.

    Args:
      call: the call.
      body: what was awaited; closed here when it never began.
      error: what ended it.
      reason: why it was asked to end; None when we didn't ask.

    Raises:
      GeneratorExit: the waiting coroutine itself is being closed, since its loop is gone: there is no outcome to tell.
    """
    if isinstance(error, GeneratorExit) and not _is_stepped(sys._getframe(1)):
        raise error
    _settle_times(call, body)
    if isinstance(error, asyncio.CancelledError):
        if reason is None and cancellation_requested(asyncio.current_task()):
            reason = operators_word(error) or "caller"
        if reason is not None:
            return Cancelled(reason, call, work=left_of(call))
    return failure_from(call.told(error), call)


def left_of(call: CallFrame) -> Work:
    """Return what a cancellation left of the body: ``not started``, ``stopped``, or ``abandoned`` in some thread."""
    if call.left_behind:
        return "abandoned"
    return "stopped" if call.attempts else "not started"


def _settle_times(call: CallFrame, body: Coroutine[Any, Any, Any]) -> None:
    if inspect.iscoroutine(body) and inspect.getcoroutinestate(body) == inspect.CORO_CREATED:
        body.close()  # cancelled before its first step
        call.attempts, call.running = 0, 0.0
    elif call.running < 0.0:
        call.running += monotonic()


def _is_stepped(frame: types.FrameType) -> bool:
    """Say whether the coroutine that runs in *frame* is driven by a task just now, rather than being closed."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and getattr(task.get_coro(), "cr_frame", frame) is frame


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

    def start(self, body: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, context: Context) -> None:
        """Begin *body*; ``on_end`` is called within the very step in which it ends."""
        driver = self._drive(body)
        # Up to the primer, so that a task cancelled before its first step still passes through the handlers below.
        driver.send(None)
        self.task = loop.create_task(driver, context=context)
        if self.reason is not None:  # asked for in an eager first step, before there was a task to ask
            self.task.cancel(self.reason)

    async def _drive(self, body: Coroutine[Any, Any, T]) -> None:
        call = self.call
        try:
            await primer()
            outcome: Outcome[T] = Ok(await body, call)
            if call.running < 0.0:
                call.running += monotonic()
        except BaseException as error:
            outcome = outcome_of(call, body, error, self.reason)
        self.end_as(outcome)
        del self, outcome  # an error knows this frame by its traceback: a circle

    def end_as(self, outcome: Outcome[T]) -> None:
        """Settle the outcome, once; of a body that resists, the real end will be ignored."""
        if self.outcome is None:
            self.outcome = outcome
            on_end, self._on_end = self._on_end, _ignore  # who is told holds this object, as a rule: a circle
            on_end(self)

    def cancel(self, reason: str) -> None:
        """Ask the body to end; does nothing when it has ended. The first reason given is the one reported."""
        if self.outcome is not None:
            return
        if self.reason is None:
            self.reason = reason
        if self.task is not None and not self.task.done():
            self.task.cancel(reason)


def _ignore(_running: Running[Any]) -> None:
    return
