"""Progress for programs: one snapshot per second, each a line of JSON."""

from __future__ import annotations

import threading
from typing import TextIO

from .teller import Teller


class JSONLines(Teller):
    """Writes one ``Snapshot`` as a line of JSON per interval, from a thread of its own; ``close`` writes the last one.

    A stream that is closed, or a pipe nobody reads, ends the lines and nothing else. Read a line back with
    ``msgspec.json.decode(line, type=Snapshot)``, or as any JSON.

    Use it as a context manager, or call ``close``: until then its daemon thread runs.
    """

    def __init__(self, total: int | None, stream: TextIO, interval: float = 1.0) -> None:
        """Begin; the first line comes after the first interval.

        Args:
          total: how many outcomes there will be; None: not known.
          stream: where the lines go.
          interval: seconds between lines, > 0.

        Raises:
          ValueError: *total* is negative, or *interval* isn't a number > 0.
        """
        super().__init__(total)
        if not interval > 0:
            raise ValueError(f"interval={interval!r}: seconds between lines, > 0")
        self._stream: TextIO | None = stream
        self._interval = interval
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="linecook-json-lines", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write the last line and end the thread; wait at most a second for a stream that takes nothing."""
        if not self._closing.is_set():
            self._closing.set()
            self._thread.join(timeout=1.0)
            self._facts.close()

    def _write_all(self) -> None:
        while not self._closing.wait(self._interval):
            self._write()
        self._write()

    def _write(self) -> None:
        from msgspec import json  # imported by this thread: the loop's has other things to do

        if self._stream is None:
            return
        try:
            self._stream.write(json.encode(self._facts.snapshot()).decode() + "\n")
            self._stream.flush()
        except (OSError, ValueError, AttributeError):  # a broken pipe, a full disk; closed; taken apart at exit
            self._stream = None
