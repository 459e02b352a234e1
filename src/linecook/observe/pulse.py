"""The watch thread: one per process, it wakes readers at the times they ask for and tells them how late it came.

A thread that sleeps knows two things when it wakes: how late it is, and how often it had to wait for the interpreter
before it could say so. The second is the number of voluntary context switches of its own beyond the one it slept in:
CPython waits for the GIL in naps of ``sys.getswitchinterval()``, each of which is such a switch. A machine that is
busy, a stopped process or a suspended one makes us late without a single nap; a thread that holds the interpreter
can't. (Measured: 0 naps on an idle interpreter and beside ``hashlib``, at least 1 beside any pure-Python loop.)
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

_log = logging.getLogger("linecook")
_SLACK = 0.004  # seconds: readers due within this are served by the same wake-up


class Wake(NamedTuple):
    """One awakening of the watch thread.

    Attributes:
      now: ``time.monotonic()``, seconds.
      late: seconds after the time that was asked for, ≥ 0.
      naps: how often the watch thread had to wait for the interpreter; 0 when nobody held it.
      held: the part of ``late`` in which others had the interpreter, seconds; the rest is the machine's doing.
      in_one_go: whether all of ``held`` was one hold. A loop that gives the interpreter up at each ``select`` and takes
        it back before we are awake keeps us waiting as well, but wakes us again and again: its naps are short.
    """

    now: float
    late: float
    naps: int
    held: float
    in_one_go: bool


Reader = Callable[[Wake], float]
"""Called on the watch thread; returns the seconds until it wants to be called again. Must be quick."""


class Pulse:
    """A daemon thread that lives as long as it has readers.

    ``add`` and the function it returns may be called from any thread; neither waits for the watch thread. After a
    ``fork`` the child starts with no readers and no thread.
    """

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._due: dict[Reader, float] = {}
        self._thread: threading.Thread | None = None

    def add(self, reader: Reader) -> Callable[[], None]:
        """Call *reader* at once, and then whenever it asks; the returned function ends that (twice does no harm)."""
        with self._lock:
            self._due[reader] = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="linecook-watch", daemon=True)
                self._thread.start()
        self._bell.set()

        def remove() -> None:
            with self._lock:
                self._due.pop(reader, None)
            self._bell.set()

        return remove

    def _beat(self) -> None:
        bell = self._bell  # a fork gives the child another one
        while (asleep_until := self._next()) is not None:
            naps = _switches()
            bell.wait(max(0.0, asleep_until - time.monotonic()))
            naps = max(0, _switches() - naps - 1)
            bell.clear()
            self._serve(time.monotonic(), naps)

    def _next(self) -> float | None:
        """When to wake; None when nobody is left, and then this thread is no longer *the* thread."""
        with self._lock:
            if not self._due:
                self._thread = None
                return None
            return min(self._due.values())

    def _serve(self, now: float, naps: int) -> None:
        with self._lock:
            due_now = [(reader, due) for reader, due in self._due.items() if due <= now + _SLACK]
        for reader, due in due_now:
            late = max(0.0, now - due)
            try:
                delay = reader(_wake(now, late, naps))
            except Exception:
                _log.exception("a reader of linecook's watch thread (%r) failed and is dropped", reader)
                delay = None
            with self._lock:
                if delay is None:
                    self._due.pop(reader, None)
                elif reader in self._due:  # else it was removed meanwhile
                    self._due[reader] = time.monotonic() + delay


if sys.platform == "linux":
    import resource

    def _switches() -> int:
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw

    def _wake(now: float, late: float, naps: int) -> Wake:
        # A nap that nobody disturbs lasts a switch interval or more (a busy machine prolongs it): believe the whole
        # delay when naps explain a third of it, else only what they explain, as when the process was stopped in one.
        explained = naps * sys.getswitchinterval()
        held = late if explained >= 0.3 * late else explained
        return Wake(now, late, naps, held, in_one_go=explained <= late)

else:  # untested: lateness is all there is to go by, and a busy machine looks like a held interpreter

    def _switches() -> int:
        return 0

    def _wake(now: float, late: float, naps: int) -> Wake:
        return Wake(now, late, int(late / sys.getswitchinterval() + 0.8), late, in_one_go=True)


PULSE = Pulse()
"""The one of this process."""
