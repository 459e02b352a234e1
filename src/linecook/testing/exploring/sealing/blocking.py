"""A watch over the explorer's own thread: a step of the program that doesn't end is interrupted, and told as a hang."""

from __future__ import annotations

import ctypes
import time
from _thread import allocate_lock, get_ident, start_new_thread
from collections.abc import Callable


class Blocked(KeyboardInterrupt):
    """Raised in a step that doesn't end; a ``KeyboardInterrupt``, since tasks pass nothing else on."""


class Watchman:
    """Looks every half second whether the program gets on, from a real thread of its own.

    Args:
      progress: tells a number that changes with every step; None while nothing runs.
      patience: tells how many real seconds one step may take.
    """

    def __init__(self, progress: Callable[[], int | None], patience: Callable[[], float]) -> None:
        self._progress = progress
        self._patience = patience
        self._watched = get_ident()
        self._over = allocate_lock()  # the real one: threading's are stand-ins meanwhile

    def begin(self) -> None:
        """Watch from now on."""
        self._over.acquire()
        start_new_thread(self._watch, ())

    def end(self) -> None:
        """Watch no longer."""
        self._over.release()

    def _watch(self) -> None:
        seen, since = self._progress(), _monotonic()
        while not self._over.acquire(timeout=min(0.5, self._patience())):
            now = self._progress()
            if now is None or now != seen:
                seen, since = now, _monotonic()
            elif _monotonic() - since > self._patience():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._watched), ctypes.py_object(Blocked))
                since = _monotonic()


_monotonic = time.monotonic
