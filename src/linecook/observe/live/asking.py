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
    question = _Question(loop, work)
    try:
        loop.call_soon_threadsafe(question.turn, context=Context())
    except RuntimeError:
        raise Gone("the event loop is closed: the program is ending") from None
    return question.wait()


class _Question(Generic[T]):
    def __init__(self, loop: asyncio.AbstractEventLoop, work: Callable[[], Generator[None, None, T]]) -> None:
        self._loop = loop
        self._work = work
        self._steps: Generator[None, None, T] | None = None
        self._lock = threading.Lock()
        self._withdrawn = False
        self._begun = threading.Event()
        self._ended = threading.Event()
        self._value: list[T] = []
        self._error: BaseException | None = None

    def turn(self) -> None:
        """Do a slice of the work; on the loop."""
        with self._lock:
            if self._withdrawn:
                return
            self._begun.set()
        try:
            if self._steps is None:
                self._steps = self._work()
            until = time.monotonic() + SLICE
            while time.monotonic() < until:
                next(self._steps)
        except StopIteration as end:
            self._value.append(end.value)
        except BaseException as error:  # it belongs to whoever asked, and not to the loop
            self._error = error
            if not isinstance(error, Exception):  # but Ctrl-C, which only happened to come here
                self._ended.set()
                raise
        else:
            self._loop.call_soon(self.turn, context=Context())
            return
        self._ended.set()

    def wait(self) -> T:
        """Wait for the answer; on the thread of whoever asks."""
        began = time.monotonic()
        in_time = self._begun.wait(BEGIN) and self._ended.wait(END)
        with self._lock:  # from here on no turn begins
            self._withdrawn = not in_time
        if not in_time and not self._ended.wait(2 * SLICE):  # a turn that was under way
            if self._loop.is_closed():
                raise Gone("the event loop is closed: the program is ending")
            raise StandsStill(time.monotonic() - began)
        if self._error is not None:
            raise self._error
        return self._value[0]
