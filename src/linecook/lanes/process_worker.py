"""The parent's end of one worker process: start it, send it jobs, read what it says, see what it does, kill it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from . import wire
from .base import Job

PROGRAM = str(Path(__file__).with_name("worker.py"))

UNKNOWN = 1 << 16

FIRST_BUFFER = 64 * 1024
LARGEST_BUFFER = 4 * 1024 * 1024
"""A result beyond this is read by a thread, so that the loop doesn't stand still while it is copied and rebuilt."""

AT_ONCE = 1 << 20
"""Bytes to write before the loop has its turn: a worker that reads as fast as we write would hold it for a gigabyte."""

LONGEST_LOADING = 30.0
"""Seconds that one may go on importing for a call that was cancelled meanwhile, or before it says hello."""

ROUNDS = 8
"""Buffers to read before the loop has its turn."""

Answer = tuple[int, int, int, memoryview | None, float, float, float]
"""number, status, count of buffers, body, start, wall seconds, CPU seconds (negative: not measured)."""


class TooLarge(Exception):
    """A result is on its way that a thread should read; carries its head and what has come of its body."""

    def __init__(self, head: tuple[Any, ...], prefix: bytes) -> None:
        self.head = head
        self.prefix = prefix


class Worker:
    """One worker process.

    Attributes:
      jobs: what is inside it, by number in the order of sending, each with the seconds it is expected to take.
      load: the sum of those seconds.
      known: the version of each route's spec that it has been told.
      ready: it has said hello.
      receiving: number of the job whose large result a thread reads, 0 for none; the loop keeps off the socket.
      loading: number of a cancelled job whose function or arguments it was still loading, and when that was seen.
      finished: jobs it has answered, ever.
      heard: number of the job that it spoke of last; it speaks of each, in the order of sending.
      seen: what it was doing when it was last looked at, and since when.
      at_home: it has been sent home.
      exitcode: None until it is collected; negative: of a signal; ``UNKNOWN`` when somebody else collected it.
    """

    __slots__ = (
        "_buffer",
        "_have",
        "_life",
        "_out",
        "_page",
        "at_home",
        "born",
        "exitcode",
        "finished",
        "heard",
        "jobs",
        "killed",
        "known",
        "load",
        "loading",
        "modules",
        "number",
        "path",
        "pid",
        "ready",
        "receiving",
        "seen",
        "sock",
    )

    def __init__(self, modules: Iterable[str]) -> None:
        self.jobs: dict[int, tuple[Job, float]] = {}
        self.load = 0.0
        self.known: dict[int, int] = {}
        self.ready = False
        self.receiving = 0
        self.killed = False
        self.at_home = False
        self.born = time.monotonic()
        self.loading: tuple[int, float] | None = None
        self.finished = 0
        self.heard = 0
        self.seen: tuple[int, int, float] = (0, 0, self.born)
        self.number = 0
        self.exitcode: int | None = None
        self._buffer = bytearray(FIRST_BUFFER)
        self._have = 0
        self._out: deque[memoryview] = deque()
        self.path: list[str] = []
        self.modules: set[str] = set()
        self._start()
        self.set_up(modules)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        life_read, life_write = os.pipe2(os.O_CLOEXEC)
        page = os.memfd_create("linecook", os.MFD_CLOEXEC)
        high: list[int] = []
        try:
            os.ftruncate(page, wire.PAGE_BYTES)
            # Above the numbers they are moved to, so that moving one doesn't close another.
            high += [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 103) for fd in (theirs.fileno(), life_read, page)]
            self.pid = _spawn(high)
            self._page = mmap.mmap(page, wire.PAGE_BYTES)
        except BaseException:
            ours.close()
            os.close(life_write)
            raise
        finally:
            theirs.close()
            for fd in (life_read, page, *high):
                os.close(fd)
        ours.setblocking(False)
        for side in (ours, theirs):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.sock = ours
        self._life = life_write

    # ---- to the worker

    def set_up(self, modules: Iterable[str]) -> None:
        """Tell it our path (again, when it has changed) and what to import."""
        self.path = list(sys.path)
        self.modules.update(modules)
        cwd = ""
        with contextlib.suppress(OSError):  # the directory has been removed: nothing can be imported from there
            cwd = os.getcwd() if "" in self.path else ""
        setup = {"path": [entry or cwd for entry in self.path], "argv": sys.argv, "modules": list(modules)}
        self._send(wire.SETUP, 0, setup)

    def preload(self, module: str) -> None:
        """Have it import *module* now rather than in its first job."""
        if module not in self.modules:
            self.modules.add(module)
            self._send(wire.IMPORT, 0, [module])

    def send_jobs(self, batch: list[tuple[Any, ...]]) -> None:
        """Send small jobs in one message."""
        self._send(wire.JOBS, 0, batch)

    def send_bulky(self, message: tuple[Any, ...]) -> None:
        """Send one job whose arguments are a ``Bulk``."""
        number, route, spec, bulk, deadline = message
        self._send(wire.BULKY, len(bulk.buffers), (number, route, spec, bulk.size, deadline), bulk.parts())

    def _send(self, kind: int, count: int, message: Any, parts: Iterable[Any] = ()) -> None:
        body = pickle.dumps(message, 5)
        self._out.append(memoryview(wire.HEAD.pack(kind, count, len(body)) + body))
        self._out.extend(view for part in parts if (view := memoryview(part).cast("B")).nbytes)
        self.push()

    @property
    def backlog(self) -> bool:
        """Whether something waits until the worker reads on."""
        return bool(self._out)

    def push(self) -> bool:
        """Send what the socket takes, ``AT_ONCE`` at most; True when all has left.

        A dead worker takes everything: its end is noticed by reading.
        """
        out = self._out
        left = AT_ONCE
        try:
            while out and left > 0:
                first = out[0][:AT_ONCE]
                if len(out) > 1 and first.nbytes == out[0].nbytes:
                    sent = self.sock.sendmsg([first, out[1][:AT_ONCE]])
                else:
                    sent = self.sock.send(first)
                left -= sent
                while sent:
                    size = out[0].nbytes
                    if sent < size:
                        out[0] = out[0][sent:]
                        break
                    sent -= size
                    out.popleft()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in (errno.ENOBUFS, errno.ENOMEM):  # it isn't dead, the kernel is short of memory: later
                return False
            out.clear()
        return not out

    # ---- from the worker

    def receive(self, rounds: int = ROUNDS) -> Iterator[Answer]:
        """Read what has come, at most *rounds* buffers full; the bodies are valid until the next step.

        Raises:
          EOFError: it is gone, and all it had said has been yielded.
          TooLarge: see there; everything before has been yielded.
        """
        for _ in range(rounds):
            try:
                received = self.sock.recv_into(memoryview(self._buffer)[self._have :])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                raise EOFError from None
            if not received:
                raise EOFError
            self._have += received
            full = self._have == len(self._buffer)
            yield from self._frames()
            if not full:
                return

    def _frames(self) -> Iterator[Answer]:
        head_bytes = wire.RESULT.size
        at, have = 0, self._have
        view = memoryview(self._buffer)
        need = 0
        try:
            while have - at >= head_bytes:
                head = wire.RESULT.unpack_from(view, at)
                number, length, status, count, start, wall, cpu = head
                need = head_bytes + length
                if have - at < need:
                    if length > LARGEST_BUFFER:
                        prefix = bytes(view[at + head_bytes : have])
                        at, need = have, 0
                        raise TooLarge(head, prefix)
                    break
                body = view[at + head_bytes : at + need] if length else None
                at += need
                need = 0
                yield number, status, count, body, start, wall, cpu
        finally:
            rest = have - at
            if need > len(view):
                larger = bytearray(need + head_bytes)
                larger[:rest] = view[at:have]
                self._buffer = larger
            elif at and rest:
                view[:rest] = bytes(view[at:have])
            self._have = rest

    # ---- seeing what it does

    def begun(self) -> int:
        """Return the number of the job whose body began last, 0 before the first."""
        number: int = wire.NUMBER.unpack_from(self._page, wire.STARTED_AT)[0]
        return number

    def preparing(self) -> int:
        """Return the number of the job it looked at last: loading it, running it, or done with it."""
        number: int = wire.NUMBER.unpack_from(self._page, wire.PREPARING_AT)[0]
        return number

    def begun_at(self, number: int) -> float:
        """Return when the body of job *number* began, monotonic seconds; 0.0 when another is running, or none."""
        if self.begun() != number:
            return 0.0
        start: float = wire.TIME.unpack_from(self._page, wire.TIME_AT)[0]
        # Time is written before number: unchanged number, right time.
        return start if self.begun() == number else 0.0

    def take_back(self, number: int) -> bool:
        """Keep job *number* from beginning; False when it can't be told: it has begun, or ended, or is being skipped.

        Then its answer tells: either it or that of the job after it has been sent, or it is the one that runs.
        """
        self._page[wire.FLAGS_AT + number % wire.FLAGS] = 1
        return self.begun() < number

    def is_loading(self) -> bool:
        """Say whether it is still loading what the cancelled job in ``loading`` needs."""
        if self.loading is not None and self.preparing() != self.loading[0]:
            self.loading = None
        return self.loading is not None

    def doing(self, now: float) -> tuple[int, int, float]:
        """Return the job that runs or ran last, the one it looked at last, and since when that has been so, as seen."""
        begun, preparing = self.begun(), self.preparing()
        if self.seen[:2] != (begun, preparing):
            self.seen = (begun, preparing, now)
        return self.seen

    @property
    def has_flags(self) -> bool:
        """Whether there is a flag for one more job: two on one flag, and a job that was taken back would run."""
        return self.number - self.heard < wire.FLAGS

    def next_number(self) -> int:
        """Return the number for a new job, its flag down."""
        self.number += 1
        self._page[wire.FLAGS_AT + self.number % wire.FLAGS] = 0
        return self.number

    # ---- its end

    def kill(self) -> None:
        """SIGKILL it and every process it has started that is still in its group."""
        if self.exitcode is None:
            self.killed = True
            with contextlib.suppress(ProcessLookupError):  # its body may have left the group
                os.kill(self.pid, signal.SIGKILL)
            self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def send_home(self) -> None:
        """Ask it to end: it runs what tools registered, and goes; what its bodies left running is left alone."""
        self.at_home = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reap(self) -> bool:
        """Collect its exit code if it has ended; never waits."""
        if self.exitcode is None:
            try:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    return False
                if not self.at_home:  # its group's number is ours only until the next line
                    self._kill_group()
                self.exitcode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            except ChildProcessError:  # somebody else collected it
                self.exitcode = UNKNOWN
        return True

    def close(self) -> None:
        """Let go of its socket, its page and its life pipe (which kills it if it still lives)."""
        self.sock.close()
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        self._out.clear()
        self._buffer = bytearray()

    def __del__(self) -> None:
        # A loop that was never closed may go with what it had borrowed.
        if hasattr(self, "sock"):
            self.close()

    def forget(self) -> None:
        """In a forked child: close our copies; the process is our parent's."""
        self.exitcode = 0
        with contextlib.suppress(OSError):
            self.close()


def _spawn(fds: list[int]) -> int:
    """Start the program with *fds* (socket, life pipe, page) at their places; returns the process id.

    posix_spawn, not subprocess: half the time on the loop, no object that wants waiting for; and unlike it the signal
    mask of the thread we happen to be on isn't inherited.
    """
    if not sys.executable:
        raise OSError("sys.executable is empty: linecook doesn't know which Python to start as a worker process")
    actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    for fd in (1, 2):
        try:
            os.fstat(fd)
        except OSError:  # closed here: it mustn't be the next file a body opens
            actions.append((os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0))
    actions += [(os.POSIX_SPAWN_DUP2, fd, place) for fd, place in zip(fds, (100, 101, 102), strict=True)]
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return os.posix_spawn(
        sys.executable,
        [sys.executable, *flags, PROGRAM],
        {**wire.WARM, **os.environ},
        file_actions=actions,
        setpgroup=0,
        setsigmask=(),
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD),
    )
