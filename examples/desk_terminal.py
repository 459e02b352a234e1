"""What the desk shows while it works: findings as they come, and how far it is.

On a terminal that is one line, always the last, written over and over. In a pipe or a file it is a line every two
seconds.
"""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from typing import TextIO

from desk_rules import Finding

__all__ = ["Terminal", "finding_lines"]

_EVERY = 2.0
_CLEAR = "\r\x1b[K"


def finding_lines(finding: Finding) -> list[str]:
    """Return a finding for the terminal: one line, and below it the chain of a blocking call."""
    lines = [f"{finding.file}:{finding.line}: {finding.rule}: {finding.text}"]
    if finding.chain:
        lines.append("    " + " -> ".join(finding.chain))
    return lines


class Terminal(logging.Handler):
    """Standard output, or *stream*; and a handler for what a library logs, so that it comes above the last line too."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream or sys.stdout
        self._is_live = self._stream.isatty()
        self._began = self._told = time.monotonic()
        self._status = ""
        self._writing = threading.Lock()

    def show(self, finding: Finding) -> None:
        """Print *finding*, above the line that tells how far we are."""
        self._write("".join(f"{line}\n" for line in finding_lines(finding)))

    def emit(self, record: logging.LogRecord) -> None:
        """Print what was logged."""
        self._write(self.format(record) + "\n")

    def tick(self, done: int, of: int, killed: int = 0) -> None:
        """Tell how far we are: so many pages are done, so many reviewers were killed."""
        now = time.monotonic()
        fate = f", {killed:,} reviewer{'s' * (killed != 1)} killed and started anew" if killed else ""
        status = f"   {done:,} of {of:,} pages, {now - self._began:.0f} s{fate}"
        if self._is_live:
            self._write("", status[: shutil.get_terminal_size().columns - 1])
        elif now - self._told >= _EVERY:
            self._told = now
            self._write(status + "\n")

    def end(self) -> None:
        """Leave the last line where it is."""
        if self._status:
            self._write(self._status + "\n", "")

    def _write(self, text: str, status: str | None = None) -> None:
        before = _CLEAR if self._is_live else ""
        with self._writing:  # a log may be written to from any thread
            self._status = self._status if status is None else status
            self._stream.write(before + text + self._status)
            self._stream.flush()
