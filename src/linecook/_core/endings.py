"""Telling how a body ended: its own failure, a cancellation that was asked for, or an exit that must not spread."""

from __future__ import annotations

import asyncio

from .context import Frame
from .errors import BodyExited, CallCancelled, Work

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
    if (word := operators_word(error)) is not None:
        return CallCancelled(f"{label} was cancelled from outside ({word})", call=frame, work=_left_of(frame))
    exited = BodyExited(
        f"the body of {label} raised {error!r}. It reaches you as BodyExited, since it would otherwise stop the event "
        "loop or be taken for a cancellation; raise an ordinary exception, or return, instead.",
        call=frame,
    )
    exited.__cause__ = error
    return exited


def _left_of(frame: Frame | None) -> Work:
    return "abandoned" if getattr(frame, "left_behind", False) else "stopped"


def operators_word(error: BaseException) -> str | None:
    """Return the reason of a cancellation that an operator asked for (`linecook cancel`); None for any other."""
    word = str(error.args[0]) if isinstance(error, asyncio.CancelledError) and error.args else ""
    return word if word.startswith("operator") else None


def cancellation_requested(task: asyncio.Task[object] | None) -> bool:
    """Say whether a CancelledError now passing through *task* was asked for by somebody (``task.cancel()``)."""
    return task is not None and task.cancelling() > 0


def reason_of(error: asyncio.CancelledError) -> str:
    """Return why somebody was cancelled, for what is cancelled with him; foreign words are ``"caller"``."""
    word = str(error.args[0]).partition(":")[0] if error.args else "caller"
    return word if word in ("deadline", "sibling", "shutdown") else "caller"
