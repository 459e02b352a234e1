"""The bytes of an input: a file as long as it was at the start, a pipe as it comes, either of them gzipped."""

from __future__ import annotations

import os
import select
import stat
import zlib
from collections.abc import Iterator

from .item import Unreadable

CHUNK_BYTES = 1 << 18


class Bytes:
    """An open input.

    Args:
      fd: an open descriptor; it stays open.
      is_gzip: whether it holds gzip data.

    Attributes:
      is_file: whether it is a regular file: its length is known, and it can be read twice.
      size: bytes of a file when it was opened: what is written to it later is not read, but for the rest of its last
        line. 0 for a pipe, and for what has no size beforehand (/proc), which is read to its end.
    """

    def __init__(self, fd: int, *, is_gzip: bool = False) -> None:
        self._fd = fd
        self._is_gzip = is_gzip
        status = os.fstat(fd)
        self.is_file = stat.S_ISREG(status.st_mode)
        self._start = os.lseek(fd, 0, os.SEEK_CUR) if self.is_file else 0
        self.size = max(0, status.st_size - self._start) if self.is_file else 0

    @property
    def grown(self) -> int:
        """By how many bytes the file is longer than it was when it was opened."""
        return os.fstat(self._fd).st_size - self._start - self.size if self.size else 0

    def start(self, count: int = 4096) -> bytes:
        """Return the first *count* bytes of a file, as they stand in it; nothing of a pipe."""
        return os.pread(self._fd, min(count, self.size), self._start) if self.is_file else b""

    def chunks(self, wake: int | None = None) -> Iterator[bytes | None]:
        """Yield the bytes; of a pipe also None, wherever there is nothing more at this moment.

        Args:
          wake: a descriptor that becomes readable when a pipe is to be read no more.

        Raises:
          OSError: it can't be read on.
          Unreadable: it shrank meanwhile, or isn't gzip to its end.
        """
        plain = self._file() if self.is_file else self._pipe(wake)
        return _gunzipped(plain) if self._is_gzip else plain

    def _file(self) -> Iterator[bytes]:
        at, end = self._start, self._start + self.size
        chunk = b""
        while at < end or not self.size:
            chunk = os.pread(self._fd, min(CHUNK_BYTES, end - at) if self.size else CHUNK_BYTES, at)
            if not chunk:
                break
            at += len(chunk)
            yield chunk
        if at < end:
            raise Unreadable(f"it was cut short while it was read: {end - at:,} of {self.size:,} bytes are gone")
        if chunk and not chunk.endswith(b"\n"):
            yield from self._rest_of_line(at)

    def _rest_of_line(self, at: int) -> Iterator[bytes]:
        """Yield the rest of a line that was being written when the file was opened, as far as it is there now."""
        while chunk := os.pread(self._fd, 4096, at):
            line, end, _ = chunk.partition(b"\n")
            at += len(line)
            yield line
            if end:
                return

    def _pipe(self, wake: int | None) -> Iterator[bytes | None]:
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        if wake is not None:
            poller.register(wake, select.POLLIN)
        while True:
            if not poller.poll(0):
                yield None
            if any(fd == wake for fd, _ in poller.poll()):
                return
            try:
                chunk = os.read(self._fd, CHUNK_BYTES)
            except BlockingIOError:  # another program left the pipe non-blocking
                continue
            if not chunk:
                return
            yield chunk


def _gunzipped(chunks: Iterator[bytes | None]) -> Iterator[bytes | None]:
    """Yield what the gzip members in *chunks* hold, one after the other."""
    member = None
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        while chunk:
            if member is None:
                chunk = chunk.lstrip(b"\0")  # padding after the last member
                if not chunk:
                    break
                member = zlib.decompressobj(wbits=31)
            try:
                plain = member.decompress(chunk, CHUNK_BYTES)
            except zlib.error as error:
                raise Unreadable(f"its gzip data is damaged ({error})") from None
            if plain:
                yield plain
            chunk = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member = None
    if member is not None:
        raise Unreadable("its gzip data ends in the middle: the file is incomplete")
