"""``linecook watch``: runs the program under an audit, prints what was found, and ends as the program does."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from .early import hand_over
from .exits import BadUsage
from .program import Program, end_by_ctrl_c

if TYPE_CHECKING:
    from linecook.observe import Audit

_GRACE = 1.0  # seconds for threads that still run when the program has ended, before they are called stuck
_LOOK_AGAIN = 0.1  # seconds
_LOOKS = 10


def watch_command(options: argparse.Namespace) -> int:
    """Do what ``linecook watch`` was asked for and return the program's exit code.

    Raises:
      BadUsage: there is no such program, or the report can't be written where it should go.
      KeyboardInterrupt: Ctrl-C came before the program began.
    """
    from linecook.observe import Audit

    program = Program(options.program, options.arguments, as_module=options.as_module)
    paper = _Paper(options.output)
    reporter = _Reporter(paper, every=options.every, as_json=options.json)
    audit = Audit(stall=options.stall, origins=options.origins, light=options.light, on_closing=reporter.closing)
    atexit.register(reporter.finish)  # the first registered is the last to run
    hand_over()
    reporter.begin(audit)
    with audit:
        ended = program.run()
        reporter.program_ended(ended, _put_ctrl_c_off())
    if isinstance(ended, KeyboardInterrupt):
        return 130
    return ended


class _Paper:
    """Where reports are written: a file, or what standard error was when we began, whatever the program does to it."""

    def __init__(self, path: str | None) -> None:
        self._fd = -1
        try:
            if path is not None:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            else:
                self._fd = os.dup(2)
        except OSError as error:
            if path is not None:
                raise BadUsage(f"--output {path} can't be written: {error.strerror}.") from None
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Write all of *text*; what can't be written (a full disk, a terminal that is gone) is lost."""
        left = memoryview(text.encode("utf-8", "replace"))
        with self._lock:
            try:
                while left:
                    left = left[os.write(self._fd, left) :]
            except OSError:
                return


class _Reporter:
    """Prints: a thread of its own while the program runs, since the program has the main one; the main one at the end.

    The thread sleeps until SIGQUIT comes, or until *every* seconds are over.
    """

    def __init__(self, paper: _Paper, *, every: float | None, as_json: bool) -> None:
        self._paper = paper
        self._every = every
        self._as_json = as_json
        self._asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._audit: Audit | None = None
        self._process = os.getpid()
        self._stuck_since: float | None = None
        self._end_of_process: Callable[[], None] | None = None

    def begin(self, audit: Audit) -> None:
        self._audit = audit
        if hasattr(signal, "SIGQUIT"):
            signal.signal(signal.SIGQUIT, self._pressed)
        threading.Thread(target=self._serve, name="linecook-watch-report", daemon=True).start()

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        # In the middle of whatever the main thread does: nothing here may take a lock, and this doesn't.
        self._asked.put("asked")
        _stay_awake()

    def closing(self) -> None:
        """The loop has waited for its default pool's threads long enough to say so; on the watch thread."""
        self._asked.put("closing")

    def _serve(self) -> None:
        while True:
            try:
                why = self._asked.get(timeout=self._every)
            except queue.Empty:
                why = "every"
            if why is None:
                return
            if why == "closing":
                self._say_who_is_waited_for("the event loop waits, in order to end, for threads of its default pool")
            self._print(at_end=False)

    def program_ended(self, ended: int | KeyboardInterrupt, pressed: list[int]) -> None:
        """Print the whole report; threads that still run have a grace, and then are named."""
        if os.getpid() != self._process:  # a child that the program forked, and that ran to its end
            return
        if isinstance(ended, KeyboardInterrupt):
            self._end_of_process = end_by_ctrl_c
        audit = self._audit
        assert audit is not None, "begin comes first"
        deadline = time.monotonic() + _GRACE
        while audit.stuck() and time.monotonic() < deadline and not pressed:
            time.sleep(0.01)
        _flush()
        if audit.stuck():
            self._stuck_since = time.monotonic()
        self._print(at_end=True)
        if self._stuck_since is not None:
            self._say_who_is_waited_for("the program is over; Python waits, as it always does, for")

    def _print(self, *, at_end: bool) -> None:
        assert self._audit is not None, "begin comes first"
        report = self._audit.report(at_end=at_end)
        if self._as_json:
            self._paper.write(json.dumps(report.to_json()) + "\n")
        else:
            self._paper.write(f"\nlinecook watch: {report}\n")

    def _say_who_is_waited_for(self, what: str) -> None:
        assert self._audit is not None, "begin comes first"
        stuck = self._audit.stuck()
        if not stuck or self._as_json:
            return
        names = "\n".join(map(str, stuck[:10]))
        more = f"\n  and {len(stuck) - 10} more" if len(stuck) > 10 else ""
        self._paper.write(f"\nlinecook watch: {what}:\n{names}{more}\n")

    def finish(self) -> None:
        """At the very end of the interpreter, when it has waited for its threads."""
        if os.getpid() != self._process:
            return
        if self._stuck_since is not None and not self._as_json:
            waited = time.monotonic() - self._stuck_since
            self._paper.write(f"\nlinecook watch: the last thread ended {waited:.1f} s after the report\n")
        if self._end_of_process is not None:
            self._end_of_process()


def _stay_awake() -> None:
    r"""For a second, have the program's event loop turn every 0.1 s.

    Linux gives a signal to another thread while the main one has yet to take the last: a Ctrl-C right behind Ctrl-\
    would be noted there, and heard only when something happens.
    """
    try:
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(_look_again, loop, _LOOKS)
    except RuntimeError:  # no loop runs, or it ends just now
        return


def _look_again(loop: asyncio.AbstractEventLoop, looks: int) -> None:
    if looks:
        loop.call_later(_LOOK_AGAIN, _look_again, loop, looks - 1)


def _put_ctrl_c_off() -> list[int]:
    """Let Ctrl-C wait until Python waits for threads: there, as without us, it ends the waiting.

    Returns:
      the presses so far; it grows.
    """
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    at_shutdown: Callable[[Callable[[], None]], None] | None = getattr(threading, "_register_atexit", None)
    if at_shutdown is None or not callable(before):
        return pressed

    def press(number: int, frame: FrameType | None) -> None:
        pressed.append(number)

    def give_back() -> None:
        if signal.getsignal(signal.SIGINT) is press:
            signal.signal(signal.SIGINT, before)
            if pressed:
                threading.Thread(target=_press_again, daemon=True).start()

    try:
        at_shutdown(give_back)  # the last registered is the first to run
        signal.signal(signal.SIGINT, press)
    except (RuntimeError, ValueError):  # the interpreter ends already; this isn't the main thread
        pass
    return pressed


def _press_again() -> None:
    time.sleep(0.1)  # by then the main thread waits; where it has nothing to wait for, we don't get here
    os.kill(os.getpid(), signal.SIGINT)


def _flush() -> None:
    """What the program printed comes before what we say of it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or replaced, by the program
            continue
