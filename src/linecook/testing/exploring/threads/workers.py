"""Real threads that bodies run on, one at a time, used again from schedule to schedule.

Starting a thread takes longer than most bodies run. A turn is passed through two raw locks: the worker waits for
``go``, the explorer for ``back``.
"""

from __future__ import annotations

import linecache
import sys
import threading
import time
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from types import CodeType, FrameType

from ..mistakes import EscapedControl
from .switching import Baton, Hooks, Stoppable

LONGEST_STEP = 60.0
"""Seconds of CPU after which a body that never comes to a switch point is given up."""


class Unwind(SystemExit):
    """Ends a controlled thread whose schedule is over. A ``SystemExit``: ``threading`` prints nothing about it."""


class Worker:
    """A real thread."""

    def __init__(self, hooks: Hooks) -> None:
        self.ident = 0
        self._hooks = hooks
        self._go = allocate_lock()
        self._back = allocate_lock()
        self._go.acquire()
        self._back.acquire()
        self._body: Callable[[], None] | None = None
        self.lost = False
        start_new_thread(self._work, ())
        self._back.acquire()

    def give(self, body: Callable[[], None]) -> None:
        """Say what runs next; the first ``turn`` begins it."""
        self._body = body

    def turn(self, patience: float) -> bool:
        """Let the worker run until it hands back; False when it hasn't after *patience* seconds."""
        self._go.release()
        return self._back.acquire(True, patience)

    def has_returned(self, patience: float) -> bool:
        """Wait again for the worker to hand back."""
        return self._back.acquire(True, patience)

    def hand_back(self) -> None:
        """Give the turn back and wait for the next one (called on the worker)."""
        self._back.release()
        self._go.acquire()

    def stop(self) -> None:
        """End the real thread, once it waits for work."""
        self._body = None
        if not self.lost:
            self._go.release()

    def _work(self) -> None:
        self.ident = threading.get_ident()
        while not self.lost:
            self.hand_back()
            body = self._body
            if body is None:
                return
            self._hooks.enter()
            try:
                body()
            finally:
                self._hooks.leave()
                body = self._body = None


class Workers:
    """The workers of one exploration."""

    def __init__(self, baton: Baton, hooks: Hooks, patience: float) -> None:
        self._baton = baton
        self._hooks = hooks
        self._patience = patience
        self._idle: list[Worker] = []
        self.are_used_again = True  # False: each body has a real thread of its own

    def take(self) -> Worker:
        """Return a worker that waits for a body."""
        return self._idle.pop() if self._idle else Worker(self._hooks)

    def put_back(self, worker: Worker) -> None:
        """Take back a worker whose body has ended."""
        if self.are_used_again:
            self._idle.append(worker)
        else:
            worker.stop()

    def close(self) -> None:
        """End the workers."""
        for worker in self._idle:
            worker.stop()
        self._idle.clear()

    def step(self, worker: Worker, thread: Stoppable) -> None:
        """Let *thread* run until it hands back.

        Raises:
          EscapedControl: it is blocked in something real, or runs on without a switch point; names the call.
        """
        self._baton.running = thread
        try:
            if not worker.turn(self._patience):
                self._wait_longer(worker, thread)
        finally:
            self._baton.running = None

    def _wait_longer(self, worker: Worker, thread: Stoppable) -> None:
        """Tell work from waiting: a thread that uses the CPU works."""
        clock = time.pthread_getcpuclockid(worker.ident)
        used = began = time.clock_gettime(clock)
        while not worker.has_returned(self._patience):
            before, used = used, time.clock_gettime(clock)
            if used - before < self._patience / 20 or used - began > LONGEST_STEP:
                worker.lost = True
                self._baton.strays[worker.ident] = thread
                raise EscapedControl(_where_blocked(worker.ident, used - before))


def _where_blocked(ident: int, used: float) -> str:
    frame = sys._current_frames().get(ident)
    what = "works without a switch point" if used > 0.01 else "is blocked"
    if frame is None:
        return f"a thread of the program {what}, at a place that can't be seen"
    return (
        f"a thread of the program {what} in {call_at(frame)}: this waits for something outside, which a schedule can't "
        "decide about. Replace it by a fake, or by outside(), while the program is explored; a lock that was made "
        "before the exploration began must be reachable from a module of yours, or be made inside."
    )


def call_at(frame: FrameType) -> str:
    """Return the call that *frame* is in, as it is written, with file, line and function."""
    code = frame.f_code
    written = _written(code, frame.f_lasti) or linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f"{written!r} ({code.co_filename}:{frame.f_lineno}, in {code.co_name})"


def _written(code: CodeType, offset: int) -> str:
    line, last, start, end = list(code.co_positions())[offset // 2]
    if line is None or line != last or start is None or end is None:
        return ""
    return linecache.getline(code.co_filename, line).encode()[start:end].decode(errors="replace")
