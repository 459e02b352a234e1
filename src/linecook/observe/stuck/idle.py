"""Whether an event loop has anything left to do: a timer, a socket, a thread that may call it.

One that has nothing waits for ever, and so does everything on it; that is known for certain, and for next to nothing.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from concurrent.futures import thread as pools
from types import FrameType
from typing import Any

from ..._core.stacks import stacks_of_others
from ..place import outwards

# Those by which programs are told to stop, or to do something. Ctrl-C is left out: everybody handles it.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)]
_IDLE_WORKER = pools._worker.__code__  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue, reportUnknownVariableType]


def what_is_left(loop: asyncio.AbstractEventLoop) -> str | None:
    """Return what *loop* still has to do, in words; empty: nothing.

    None: that can't be known, as of a loop that isn't asyncio's own.
    """
    if not isinstance(loop, asyncio.BaseEventLoop):
        return None
    if not loop.is_running():
        return "it isn't running"
    known: Any = loop
    if getattr(known, "_thread_id", None) == threading.get_ident():
        return "it is at work"
    try:
        if known._ready or asyncio.current_task(loop) is not None or not _is_in_selector(known):
            return "it is at work"
        if any(not timer.cancelled() for timer in list(known._scheduled)):
            return "a timer"
        if getattr(known, "_signal_handlers", None) or any(callable(signal.getsignal(each)) for each in _SIGNALS):
            return "a signal"
        sockets = len(known._selector.get_map()) - 1  # one is its own, by which other threads wake it
    except (AttributeError, RuntimeError, KeyError):
        return None
    if sockets > 0:
        return f"{sockets} socket{'s' if sockets > 1 else ''}"
    return _threads_at_work(getattr(known, "_thread_id", None))


def _is_in_selector(loop: Any) -> bool:
    """Whether the loop waits for news: nothing is ready either while its last callback runs, which is no task's."""
    frame = stacks_of_others().get(loop._thread_id)
    return frame is not None and frame.f_globals.get("__name__") == "selectors"


def _threads_at_work(loops: int | None) -> str:
    """Return who else runs and may call the loop of the thread *loops*; empty: nobody."""
    stacks = stacks_of_others()
    at_work = [
        thread.name
        for thread in threading.enumerate()
        if thread.ident not in (loops, threading.get_ident())
        and not _is_idle(thread.name, stacks.get(thread.ident or 0))
    ]
    return f"the thread {at_work[0]}" if at_work else ""


def _is_idle(name: str, frame: FrameType | None) -> bool:
    """Whether a thread waits for work, or only looks on: a pool's worker, or one of linecook's own."""
    if frame is None:
        return True
    if frame.f_code is _IDLE_WORKER:
        return True
    if str(frame.f_globals.get("__name__", "")).startswith("linecook.cli"):
        return frame.f_code.co_name == "_wait_for_work"  # else it reads or writes what its command's loop waits for
    modules = {str(each.f_globals.get("__name__", "")).partition(".")[0] for each in outwards(frame)}
    return name.startswith("linecook") and modules <= {
        "linecook",
        "threading",
        "selectors",
        "socket",
        "queue",
        "_thread",
    }
