"""Lines of the input, read on a thread of their own, a batch at a time and only when asked: constant memory.

A slow pipe, a network disk or a line of 100 MB holds that thread and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import stat
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .exits import BadUsage

CHUNK_BYTES = 1 << 16
BATCH_BYTES = 1 << 18
BATCH_LINES = 256


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input: its number, from 1, and what it says; ``problem`` when that can't be read as JSON."""

    number: int
    given: Any = None
    problem: str | None = None


class LineReader:
    """Reads JSON lines from a file or a pipe.

    Args:
      path: the file, or ``"-"`` for standard input.

    Attributes:
      total: how many lines hold something, counted meanwhile; None while that isn't known, and for a pipe.
      ended: whether every line has been handed out.
      error: what ended the reading before the end of the input; None when nothing did.

    Raises:
      BadUsage: the file can't be opened, or is a directory.

    Blank lines are no items, but are counted as lines. ``lines()`` reads, once; ``stop()`` ends that.
    """

    def __init__(self, path: str) -> None:
        self.total: int | None = None
        self.ended = False
        self.error: OSError | None = None
        self._path = path
        self._fd = _opened(path)
        self._stop = threading.Event()
        self._asked: queue.SimpleQueue[asyncio.Future[list[Line]] | None] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        self._is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._counter: threading.Thread | None = None
        self._start = os.lseek(self._fd, 0, os.SEEK_CUR) if self._is_file else 0

    @property
    def has_length(self) -> bool:
        """Whether the number of items can be known beforehand: a file's can, a pipe's can't."""
        return self._is_file

    def start_counting(self, tell: Callable[[int], None]) -> None:
        """Count the items of a file on a thread of its own, once; does nothing for a pipe. Call before reading.

        Args:
          tell: called on that thread with the count.
        """
        if self._is_file:
            fd = os.dup(self._fd)  # the reader closes its own
            self._counter = threading.Thread(target=self._count, args=(fd, tell), name="linecook-count", daemon=True)
            self._counter.start()

    def wait_total(self, timeout: float | None = None) -> int | None:
        """Wait for the count, at most *timeout* seconds; return ``total``. None waits as long as it takes."""
        if self._counter is not None:
            self._counter.join(timeout)
        return self.total

    def _count(self, fd: int, tell: Callable[[int], None]) -> None:
        with contextlib.suppress(OSError):  # the reader meets the same error, and tells it
            self.total = sum(1 for line in _split(_pread_chunks(fd, self._start)) if line and not line.isspace())
            tell(self.total)
        os.close(fd)

    async def lines(self) -> AsyncGenerator[Line]:
        """Yield the lines in order, until the end or ``stop()``."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._serve, args=(loop,), name="linecook-input", daemon=True).start()
        try:
            while not self._stop.is_set():
                future: asyncio.Future[list[Line]] = loop.create_future()
                self._asked.put(future)
                batch = await future
                if not batch:
                    self.ended = not self._stop.is_set() and self.error is None
                    return
                for line in batch:
                    if self._stop.is_set():
                        return
                    yield line
        finally:
            self.stop()

    def stop(self) -> None:
        """End the reading, from any thread; whoever waits for a line gets the end."""
        if not self._stop.is_set():
            self._stop.set()
            os.write(self._wake_write, b"x")
            self._asked.put(None)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        batches = self._batches()
        no_lines: list[Line] = []
        try:
            while (future := self._asked.get()) is not None:
                batch = next(batches, no_lines)
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                    loop.call_soon_threadsafe(_answer, future, batch)
        finally:
            for fd in (self._wake_read, self._wake_write, *([self._fd] if self._fd > 2 else [])):
                os.close(fd)

    def _batches(self) -> Iterator[list[Line]]:
        batch: list[Line] = []
        weight = 0
        number = 0
        for text in _split(self._chunks()):
            if text is None:  # nothing more at this moment: hand over what there is
                if batch:
                    yield batch
                    batch, weight = [], 0
                continue
            number += 1
            line = parse(number, text)
            if line is not None:
                batch.append(line)
                weight += len(text)
            if len(batch) >= BATCH_LINES or weight >= BATCH_BYTES:
                yield batch
                batch, weight = [], 0
        if batch:
            yield batch

    def _chunks(self) -> Iterator[bytes | None]:
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        poller.register(self._fd, select.POLLIN)
        while not self._stop.is_set():
            if not poller.poll(0):
                yield None
                poller.poll()
            if self._stop.is_set():
                return
            try:
                chunk = os.read(self._fd, CHUNK_BYTES)
            except BlockingIOError:  # another program left the pipe non-blocking
                continue
            except OSError as error:
                self.error = error
                return
            if not chunk:
                return
            yield chunk


def _split(chunks: Iterator[bytes | None]) -> Iterator[bytes | None]:
    """Yield lines without their ends; None wherever *chunks* has one (nothing more at this moment)."""
    pending: list[bytes] = []  # pieces of one line, joined once: a huge line costs linear time
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        *whole, rest = chunk.split(b"\n")
        if whole:
            yield b"".join([*pending, whole[0]])
            yield from whole[1:]
            pending = []
        pending.append(rest)
    if any(pending):
        yield b"".join(pending)


def _pread_chunks(fd: int, offset: int) -> Iterator[bytes]:
    while chunk := os.pread(fd, 1 << 20, offset):  # pread: standard input shares its position with the reader
        offset += len(chunk)
        yield chunk


def parse(number: int, text: bytes) -> Line | None:
    """Return what line *number* says; None for a blank one."""
    import json

    if number == 1:
        text = text.removeprefix(b"\xef\xbb\xbf")
    if not text or text.isspace():
        return None
    try:
        return Line(number, json.loads(text.decode()))
    except UnicodeDecodeError as error:
        return Line(number, problem=f"not UTF-8: byte {text[error.start]:#04x} at column {error.start + 1}")
    except json.JSONDecodeError as error:
        return Line(number, problem=f"not JSON: {error.msg} at column {error.colno}: {_shown(text)}")
    except (ValueError, RecursionError) as error:
        return Line(number, problem=f"not readable as JSON ({error}): {_shown(text)}")


def _shown(text: bytes, width: int = 60) -> str:
    start = text[: width * 4].decode(errors="replace").strip()
    return start if len(start) <= width else start[:width] + "…"


def _opened(path: str) -> int:
    try:
        fd = 0 if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        mode = os.fstat(fd).st_mode
    except OSError as error:
        raise BadUsage(f"--input {path}: {error.strerror}.") from None
    if stat.S_ISDIR(mode):
        raise BadUsage(f"--input {path} is a directory; give a file of JSON lines, or - for standard input.")
    return fd


def _answer(future: asyncio.Future[list[Line]], batch: list[Line]) -> None:
    if not future.done():
        future.set_result(batch)
