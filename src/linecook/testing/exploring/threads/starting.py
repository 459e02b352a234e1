"""How ``threading.Thread`` starts, while an exploration is under way: each becomes a controlled thread."""

from __future__ import annotations

import sys
import threading
from _thread import get_ident, start_new_thread
from collections.abc import Callable
from typing import Any

from .control import active, here
from .controlled_locks import ControlledLock
from .threads import ControlledThread
from .workers import Unwind


def started_names() -> dict[str, Any]:
    """Return ``threading``'s names that start and join threads, and their stand-ins, for this Python."""
    if sys.version_info >= (3, 13):
        return {"_start_joinable_thread": _start_joinable, "_ThreadHandle": _handle, "_DummyThread": _dummy}
    return {"_start_new_thread": _start, "_set_sentinel": _sentinel, "_DummyThread": _dummy}


class Handle:
    """What 3.13's ``threading.Thread`` asks about its real thread."""

    def __init__(self) -> None:
        self.ident = 0
        self._done = False

    def is_done(self) -> bool:
        """Say whether it has ended."""
        return self._done

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most *timeout* virtual seconds."""
        waiter = here()
        if waiter is not None:
            waiter.wait(self.is_done, self, None if timeout is None or timeout < 0 else timeout)

    def _set_done(self) -> None:
        self._done = True


def _start(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> int:
    """Stand in for ``_thread.start_new_thread``."""
    control = active()
    if control is None or here() is None:
        return start_new_thread(function, args, kwargs or {})
    thread = ControlledThread(function, args, kwargs, name=_name_of(function), starts_itself=True)
    thread.on_end = lambda: _release_sentinel(thread)
    control.scheduler.started(thread)
    return get_ident()


def _start_joinable(function: Callable[[], object], handle: Any, daemon: bool = True) -> None:
    """Stand in for 3.13's ``_thread.start_joinable_thread``."""
    control = active()
    if control is None or here() is None or not isinstance(handle, Handle):
        real: Any = sys.modules["_thread"]
        real.start_joinable_thread(function, handle=handle, daemon=daemon)
        return
    thread = ControlledThread(function, name=_name_of(function), starts_itself=True)
    thread.on_end = handle._set_done
    control.scheduler.started(thread)


def _handle() -> Any:
    """Stand in for 3.13's ``_thread._ThreadHandle``."""
    real: Any = sys.modules["_thread"]
    return real._ThreadHandle() if here() is None else Handle()


def _sentinel() -> Any:
    """Stand in for ``_thread._set_sentinel``: a lock that is released when the calling thread has ended."""
    thread = here()
    if not isinstance(thread, ControlledThread):
        real: Any = sys.modules["_thread"]
        return real._set_sentinel()
    thread.sentinel = ControlledLock()
    return thread.sentinel


def _release_sentinel(thread: ControlledThread) -> None:
    if thread.sentinel is not None:
        thread.sentinel.give_up()


def excepthook(arguments: Any) -> None:
    """Stand in for ``threading.excepthook``: tell the explorer, if it wants to know what a thread died of."""
    if issubclass(arguments.exc_type, Unwind):
        return  # its schedule is over
    control, thread = active(), here()
    tell = getattr(control.scheduler, "uncaught", None) if control is not None else None
    if tell is not None and isinstance(thread, ControlledThread):
        tell(thread, arguments.exc_value)
    else:
        _real_excepthook(arguments)


def _dummy() -> Any:
    """Stand in for ``threading._DummyThread``: what ``current_thread()`` returns where nobody made a Thread."""
    made = _real_dummy()
    thread = here()
    if isinstance(thread, ControlledThread):
        made.name = thread.name
    return made


def _name_of(function: Callable[..., object]) -> str:
    owner = getattr(function, "__self__", None)
    return owner.name if isinstance(owner, threading.Thread) else getattr(function, "__name__", "")


def _real_excepthook(arguments: Any) -> None:
    control = active()
    (threading.__excepthook__ if control is None else control.replaced(threading, "excepthook"))(arguments)


_real_dummy: Any = threading._DummyThread
