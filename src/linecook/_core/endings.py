"""Telling how a body ended: its own failure, a cancellation that was asked for, or an exit that must not spread."""

from __future__ import annotations

import asyncio

from .context import Frame
from .errors import BodyExited

EXITS = (StopIteration, StopAsyncIteration, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)
"""What a body may raise and nobody may let through: it would end the loop, hang the waiter or pass for a cancel."""


_EXCHANGED = frozenset(
    f"{kind} raised {ending}"
    for kind in ("coroutine", "generator", "async generator")
    for ending in ("StopIteration", "StopAsyncIteration")
)
"""The words of the RuntimeError that Python puts in place of a StopIteration that leaves a coroutine or generator."""


def contained(error: BaseException, label: str, frame: Frame | None = None) -> BaseException:
    """Return *error* itself when it is harmless, else a ``BodyExited`` that has it as its cause."""
    if type(error) is RuntimeError and str(error) in _EXCHANGED and error.__cause__ is not None:
        error = error.__cause__
    if not isinstance(error, EXITS):
        return error
    exited = BodyExited(
        f"the body of {label} raised {error!r}. It reaches you as BodyExited, since it would otherwise stop the event "
        "loop or be taken for a cancellation; raise an ordinary exception, or return, instead.",
        call=frame,
    )
    exited.__cause__ = error
    return exited


def cancellation_requested(task: asyncio.Task[object] | None) -> bool:
    """Say whether a CancelledError now passing through *task* was asked for by somebody (``task.cancel()``)."""
    return task is not None and task.cancelling() > 0


def reason_of(error: asyncio.CancelledError) -> str:
    """Return why somebody was cancelled, for what is cancelled with him; foreign words are ``"caller"``."""
    word = str(error.args[0]).partition(":")[0] if error.args else "caller"
    return word if word in ("deadline", "sibling", "shutdown") else "caller"
