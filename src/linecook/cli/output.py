"""Where the records go: a file, or standard output; written on a thread of their own, whole lines only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import threading
from collections import deque
from collections.abc import Generator, Iterator

from .exits import BadUsage

WAITING_LINES = 1024
WAITING_BYTES = 1 << 24


class NotWritten(Exception):
    """A line could not be written; the message is the system's. No further line is taken."""


class PipeClosed(NotWritten):
    """Whoever read our standard output went away."""


class Output:
    """A file of lines that is written as they come.

    Args:
      fd: an open file descriptor; ``close`` leaves it open.
      name: what messages call it.

    Attributes:
      lines: how many lines are in the file, whole.
      written_bytes: how many bytes they are.

    One thread writes what has come together in one system call: lines are there within milliseconds of their
    outcome, and a slow disk or a paused ``| less`` holds no event loop. A line that could be written in part only is
    taken back where that is possible (a regular file), so that the file holds whole lines.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self.lines = 0
        self.written_bytes = 0
        self._fd = fd
        self._given = 0
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._room: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._failure: OSError | None = None
        self._closing = False
        self._start = os.lseek(fd, 0, os.SEEK_END) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        self._thread = threading.Thread(target=self._serve, name="linecook-output", daemon=True)
        self._thread.start()

    async def put(self, line: bytes) -> None:
        """Leave *line* to be written; wait while more than ``WAITING_LINES`` of them do.

        Raises:
          NotWritten: an earlier line could not be written.
        """
        self.put_nowait(line)
        while self._is_full() and self._failure is None:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            with self._changed:
                self._room.append((loop, future))
                self._changed.notify()
            await future
        self.check()

    def put_nowait(self, line: bytes) -> None:
        """Leave *line* to be written, without waiting.

        Raises:
          NotWritten: an earlier line could not be written.
        """
        self._given += 1
        self.check()
        with self._changed:
            self._waiting.append(line)
            self._waiting_bytes += len(line)
            self._changed.notify()

    @property
    def unwritten(self) -> int:
        """How many lines were given and are not in the file."""
        return self._given - self.lines

    def close(self) -> None:
        """Write what waits, and end the thread. Blocks until that is done; safe to call twice.

        Raises:
          NotWritten: not everything could be written.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise ``NotWritten`` when a line could not be written."""
        if isinstance(self._failure, BrokenPipeError):
            raise PipeClosed(f"whoever read {self.name} has gone")
        if self._failure is not None:
            raise NotWritten(f"{self.name} could not be written: {self._failure.strerror or self._failure}")

    def _is_full(self) -> bool:
        return len(self._waiting) > WAITING_LINES or self._waiting_bytes > WAITING_BYTES

    def _serve(self) -> None:
        for batch in self._batches():
            try:
                self._write(b"".join(batch), len(batch))
            except OSError as error:
                self._take_back()
                self._failure = error
            self._wake_waiters()
            if self._failure is not None:
                return

    def _batches(self) -> Iterator[list[bytes]]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                batch = list(self._waiting)
                self._waiting.clear()
                self._waiting_bytes = 0
            yield batch

    def _write(self, data: bytes, count: int) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._write_some(rest) :]
        finally:
            done = data[: len(data) - len(rest)]
            whole = done.rfind(b"\n") + 1
            self.lines += done.count(b"\n")
            self.written_bytes += whole

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:  # another program made the pipe non-blocking
            import select

            select.select([], [self._fd], [])
            return 0

    def _take_back(self) -> None:
        if self._start is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._start + self.written_bytes)

    def _wake_waiters(self) -> None:
        with self._changed:
            waiters, self._room = self._room, []
        for loop, future in waiters:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def open_output(path: str) -> int:
    """Create the file at *path* and return its descriptor.

    Raises:
      BadUsage: it can't be created, or is there already and holds something: outcomes are never overwritten.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise BadUsage(f"--output {path}: {error.strerror}.") from None
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and status.st_size > 0:
        os.close(fd)
        raise BadUsage(
            f"--output {path} holds {status.st_size:,} bytes already, and outcomes are never overwritten. "
            "Name another file, or move this one away."
        )
    return fd


@contextlib.contextmanager
def claimed_stdout() -> Generator[int]:
    """Keep standard output for the records: what the program prints meanwhile goes to standard error.

    Yields:
      A descriptor of the real standard output. Worker processes and C code are covered: the swap is the system's.
    """
    import sys

    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # in the order of printing, without another buffer
            yield ours
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()  # what somebody wrote to sys.__stdout__
        os.dup2(ours, 1)
        os.close(ours)
