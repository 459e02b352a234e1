"""Asking an event loop from another thread: a little work at a time, so that its own tasks run in between."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Generic, TypeVar

T = TypeVar("T")

SLICE = 0.004
"""Seconds of the loop's time to take in one turn."""

BEGIN = 0.5
"""Seconds in which the loop must come to the question; one that doesn't stands still."""

END = 10.0
"""Seconds for the whole of it: a loop with much to do comes to each slice late."""


class StandsStill(Exception):
    """The loop did not come to the question in time; the question was withdrawn, and will never be answered.

    Attributes:
      seconds: how long it was waited for.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the event loop has not turned for {seconds:.1f} s")
        self.seconds = seconds


class Gone(Exception):
    """The loop is closed."""


def ask(loop: asyncio.AbstractEventLoop, work: Callable[[], Generator[None, None, T]]) -> T:
    """Have *loop* run ``work()`` to its end, some 4 ms in each of its turns, and return what it returns.

    Args:
      loop: any but the one of the calling thread.
      work: makes a generator that yields wherever it may be interrupted; called on the loop.

    Raises:
      StandsStill: the loop didn't come to it within 0.5 s, or didn't end it within 10 s.
      Gone: the loop is closed.
      what *work* raises.
    """
    return _Question(loop, work).answer()


class _Question(Generic[T]):
    """One question; each slice of it is asked for anew by the thread that wants to know.

    Were the loop to go on by itself, it would let go of the interpreter every 4 ms for a moment in which nobody else
    wakes up in time, and never be asked to (that is done after 5 ms): the asking thread starved for 15 s.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Callable[[], Generator[None, None, T]]) -> None:
        self._loop = loop
        self._work = work
        self._steps: Generator[None, None, T] | None = None
        self._lock = threading.Lock()
        self._withdrawn = False
        self._turned = threading.Event()
        self._value: list[T] = []
        self._error: BaseException | None = None

    def _turn(self) -> None:
        """Do a slice of the work; on the loop."""
        with self._lock:
            if self._withdrawn:
                return
            try:
                self._do_slice()
            except StopIteration as end:
                self._value.append(end.value)
            except BaseException as error:  # it belongs to whoever asked, and not to the loop
                self._error = error
                if not isinstance(error, Exception):  # but Ctrl-C, which only happened to come here
                    raise
            finally:
                self._turned.set()

    def _do_slice(self) -> None:
        if self._steps is None:
            self._steps = self._work()
        until = time.monotonic() + SLICE
        while time.monotonic() < until:
            next(self._steps)

    def answer(self) -> T:
        """Ask, slice after slice, and return the answer; on the thread of whoever asks."""
        began = time.monotonic()
        patience = BEGIN
        while not self._value and self._error is None:
            self._turned.clear()
            try:
                self._loop.call_soon_threadsafe(self._turn, context=Context())
            except RuntimeError:
                raise Gone("the event loop is closed: the program is ending") from None
            if not self._turned.wait(patience) and self._is_withdrawn():
                if self._loop.is_closed():
                    raise Gone("the event loop is closed: the program is ending")
                raise StandsStill(time.monotonic() - began)
            patience = began + END - time.monotonic()
            if patience <= 0 and not self._value and self._error is None:
                raise StandsStill(time.monotonic() - began)
        if self._error is not None:
            raise self._error
        return self._value[0]

    def _is_withdrawn(self) -> bool:
        """Take the question back, unless its slice is done by now: a slice that is under way is waited for."""
        if not self._lock.acquire(timeout=2 * SLICE):
            self._withdrawn = True  # a slice that doesn't end; no other is asked for
            return True
        with_nothing_done = not self._turned.is_set()
        self._withdrawn = with_nothing_done
        self._lock.release()
        return with_nothing_done
