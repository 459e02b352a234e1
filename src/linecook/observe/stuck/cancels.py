"""The cancellation audit: requested, delivered, swallowed, and at which line; read from the task when somebody asks.

``Task.cancelling()`` counts the requests that nobody has taken back. A coroutine that is handling its CancelledError
keeps it, and the garbage collector's view shows it there; one that was asked, waits again and handles nothing has let
go of it: it has swallowed the request.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Literal

from ..._core.handlers import line_that_catches
from ..place import Spot
from .diagnosis import Cancellation
from .posts import Post, frame_of, links_with_values
from .words import name_of, place_of

State = Literal["requested", "cleaning up", "swallowed"]


def cancellation_of(post: Post) -> Cancellation | None:
    """Return what became of the requests to end that *post*'s task was given; None: there are none."""
    task: Any = post.task
    asked = task.cancelling()
    if not asked or task.done():
        return None
    state = _state_of(post)
    caught = _catching_line(post) if state == "swallowed" else ""
    message = getattr(task, "_cancel_message", None)
    return Cancellation(
        name_of(post), "" if message is None else str(message), asked, state, place_of(post.spot), caught
    )


def _state_of(post: Post) -> State:
    task: Any = post.task
    if post.catching is not None:
        return "cleaning up"
    if getattr(task, "_must_cancel", False) or not post.is_waiting:
        return "requested"
    return "swallowed"


def _catching_line(post: Post) -> str:
    """Return the innermost ``except`` around where the task stands that takes cancellations."""
    found = ""
    for link, code, role, values in links_with_values(post.task):
        if role.place not in ("user", "library"):
            continue
        frame = frame_of(link)
        line = line_that_catches(code, frame.f_lasti) if frame is not None else 0
        if line:
            found = place_of(Spot(code, line))
        elif frame is not None and any(_suppresses(value) for value in values):
            found = place_of(Spot(code, frame.f_lineno or code.co_firstlineno))
    return found


def _suppresses(value: Any) -> bool:
    manager = getattr(value, "__self__", None)
    return isinstance(manager, suppress) and asyncio.CancelledError in getattr(manager, "_exceptions", ())
