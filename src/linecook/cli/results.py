"""The outcomes of a run on their way out: which are held already, how they are written down, and where."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from .held import Held, read_lines
from .output import Output
from .place import is_table, open_shared
from .records import Lines, Record, Sheet
from .table import Table, read_table


class Results:
    """Takes records and writes them.

    Args:
      output: where they go.
      sheet: how they are written down.
      held: what the output held before; None when it can't hold anything (standard output, a pipe).
      fd: a descriptor to close at the end; None for none.
      repaired_bytes: how many bytes of half a record were cut off its end.

    Attributes:
      can_resume: whether the same command again would skip what is done.
    """

    def __init__(
        self, output: Output, sheet: Sheet, held: Held | None = None, *, repaired_bytes: int = 0, fd: int | None = None
    ) -> None:
        self.output = output
        self._fd = fd
        self.held = held
        self.repaired_bytes = repaired_bytes
        self._sheet = sheet

    @property
    def can_resume(self) -> bool:
        return self.held is not None

    async def put(self, record: Record) -> None:
        """Write *record*; wait while too much waits to be written.

        Raises:
          NotWritten: an earlier one could not be written.
        """
        self.put_nowait(record)
        if self.output.is_full:
            await self.output.wait_room()

    def put_nowait(self, record: Record) -> None:
        """Write *record*, without waiting. Raises ``NotWritten`` as ``put``."""
        entry = self._sheet.entry(record)
        if entry:
            self.output.put_nowait(entry)

    def close(self) -> None:
        """Write what waits. Blocks until that is done; safe to call twice. Raises ``NotWritten`` as ``put``."""
        rest = self._sheet.rest()
        try:
            if rest:
                self.output.put_nowait(rest)
        finally:
            try:
                self.output.close()
            finally:
                if self._fd is not None:
                    os.close(self._fd)  # and with it goes the lock
                    self._fd = None


def to_stdout(fd: int, function: str) -> Results:
    """Return results that go to standard output, as JSON lines."""
    return Results(Output(fd, "standard output"), Lines(function))


def to_file(
    path: str, function: str, *, by_place: bool, retry_failed: bool = False, fields: Sequence[str] | None = None
) -> Results:
    """Return results that are added to the file at *path*; what it holds is read first.

    Args:
      path: the file; made if it isn't there.
      function: what is called.
      by_place: whether inputs are known by their numbers and contents, or by their contents alone.
      retry_failed: whether what failed or timed out is to run again.
      fields: columns for the values in a table, when they are known beforehand.

    Raises:
      BadUsage: it can't be opened, another run writes to it, or it holds something else.
    """
    table = is_table(path)
    fd = open_shared(path)
    try:
        size = os.fstat(fd).st_size if stat.S_ISREG(os.fstat(fd).st_mode) else None
        if size is None:
            return Results(Output(fd, path), Table(function, fields=fields) if table else Lines(function), fd=fd)
        held = Held(by_place=by_place, again=retry_failed)
        sheet: Sheet
        if table:
            whole, header = read_table(path, fd, function, held)
            sheet = Table(function, fields=fields, header=header)
        else:
            whole = read_lines(path, fd, function, held)
            sheet = Lines(function)
        if whole < size:
            os.ftruncate(fd, whole)
        return Results(Output(fd, path), sheet, held, repaired_bytes=size - whole, fd=fd)
    except BaseException:
        os.close(fd)
        raise
