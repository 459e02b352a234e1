"""Where the outcomes go: a file, or standard output; written on a thread of their own, whole entries only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import stat
import threading

WAITING_ENTRIES = 8192
WAITING_BYTES = 1 << 24
NAP = 0.01  # seconds between two writes: what comes meanwhile goes out together (benchmarks: run_lines)


class NotWritten(Exception):
    """An entry could not be written; the message is the system's. No further one is taken."""


class PipeClosed(NotWritten):
    """Whoever read our standard output went away."""


class Output:
    """A file of entries (lines, rows) that is written as they come.

    Args:
      fd: an open file descriptor; ``close`` leaves it open.
      name: what messages call it.

    Attributes:
      lines: how many entries are in the file, whole; of this run.
      written_bytes: how many bytes they are.

    One thread writes what has come together in one system call: entries are there within milliseconds of their
    outcome, and a slow disk or a paused ``| less`` holds no event loop. An entry that could be written in part only
    is taken back where that is possible (a regular file), so that the file holds whole ones.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self.lines = 0
        self.written_bytes = 0
        self._fd = fd
        self._given = 0
        self._given_bytes = 0
        self._taken = 0  # of those given: what the writer has in hand, or is done with
        self._taken_bytes = 0
        self._entries: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._room_lock = threading.Lock()
        self._failure: OSError | None = None
        self._closing = threading.Event()
        self._start = os.lseek(fd, 0, os.SEEK_END) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        self._thread = threading.Thread(target=self._serve, name="linecook-output", daemon=True)
        self._thread.start()

    async def put(self, entry: bytes) -> None:
        """Leave *entry* to be written; wait while more than ``WAITING_ENTRIES`` of them do.

        Raises:
          NotWritten: an earlier entry could not be written.
        """
        self.put_nowait(entry)
        if self.is_full:
            await self.wait_room()

    def put_nowait(self, entry: bytes) -> None:
        """Leave *entry* to be written, without waiting.

        Raises:
          NotWritten: an earlier entry could not be written.
        """
        self._given += 1
        if self._failure is not None:
            self.check()
        self._given_bytes += len(entry)
        self._entries.put(entry)

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that no more should be put."""
        return self._given - self._taken > WAITING_ENTRIES or self._given_bytes - self._taken_bytes > WAITING_BYTES

    async def wait_room(self) -> None:
        """Wait until there is room for more.

        Raises:
          NotWritten: an entry could not be written.
        """
        while self.is_full and self._failure is None:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            with self._room_lock:
                self._room.append((loop, future))
            if not self.is_full or self._failure is not None:  # it changed before we stood in the list
                self._wake_waiters()
            await future
        self.check()

    @property
    def unwritten(self) -> int:
        """How many entries were given and are not in the file."""
        return self._given - self.lines

    def close(self) -> None:
        """Write what waits, and end the thread. Blocks until that is done; safe to call twice.

        Raises:
          NotWritten: not everything could be written.
        """
        if not self._closing.is_set():
            self._closing.set()
            self._entries.put(None)
        self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise ``NotWritten`` when an entry could not be written."""
        if isinstance(self._failure, BrokenPipeError):
            raise PipeClosed(f"whoever read {self.name} has gone")
        if self._failure is not None:
            raise NotWritten(f"{self.name} could not be written: {self._failure.strerror or self._failure}")

    def _serve(self) -> None:
        at_end = False
        while not at_end:
            batch, at_end = self._batch()
            try:
                self._write(batch)
            except OSError as error:
                self._take_back()
                self._failure = error
                at_end = True
            self._wake_waiters()
            if not at_end:
                self._closing.wait(NAP)

    def _batch(self) -> tuple[list[bytes], bool]:
        """Wait for an entry; return all there are, and whether they are the last."""
        batch: list[bytes] = []
        entry = self._wait_for_work()
        while entry is not None:
            batch.append(entry)
            self._taken_bytes += len(entry)
            try:
                entry = self._entries.get_nowait()
            except queue.Empty:
                break
        self._taken += len(batch)
        return batch, entry is None

    def _wait_for_work(self) -> bytes | None:
        """Return the next entry. By this name ``diagnose`` knows a thread of ours that has nothing to do."""
        return self._entries.get()

    def _write(self, batch: list[bytes]) -> None:
        rest = memoryview(b"".join(batch))
        size = len(rest)
        try:
            while rest:
                rest = rest[self._write_some(rest) :]
        finally:
            written = size - len(rest)
            for entry in batch if rest else ():
                if len(entry) > written:
                    break
                written -= len(entry)
                self.lines += 1
                self.written_bytes += len(entry)
            if not rest:
                self.lines += len(batch)
                self.written_bytes += size

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
        with self._room_lock:
            waiters, self._room = self._room, []
        for loop, future in waiters:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
