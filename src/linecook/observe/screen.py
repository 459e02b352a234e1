"""The last rows of a terminal, kept for the board, while everything else scrolls above them.

The terminal's own scrolling region does it (DECSTBM of the VT100; apt draws its progress bar so). What anybody writes
meanwhile, a print in a thread, a logging handler made long ago, C code, a child process, stays in the region and can't
tear the board. To catch ``sys.stdout`` instead, as progress bars usually do, would miss all but the first of these, and
lose what was caught when the process is killed.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence

_SAVE, _RESTORE = "\x1b7", "\x1b8"  # the cursor, with its colours
_ERASE_BELOW = "\x1b[J"
_DOWN = "\x1bD"  # one row, scrolling at the last one; the column stays
_WHOLE = "\x1b[r"
_PATIENCE = 1.0  # seconds for a terminal that takes nothing

_GIVE_BACK = f"{_SAVE}{_WHOLE}{_RESTORE}{_ERASE_BELOW}"  # the cursor stands above our rows: below it is nothing else

# Gives the rows back when we end without a word: by SIGKILL, by a third Ctrl-C, by a crash. It waits for a line on its
# input; if the input ends without one, nobody else is left to do it.
_GUARD = r"""trap '' INT HUP TERM QUIT TSTP; read -r word || printf '\0337\033[r\0338\033[J' """


class Screen:
    """A terminal of which the last rows are ours, from the first ``draw`` to ``release``.

    Every write is one system call, which terminals take whole: nobody else's words come in between.
    """

    def __init__(self, fd: int) -> None:
        """Nothing is written yet.

        Args:
          fd: the terminal; duplicated, so that it stays ours when the program closes its own.
        """
        self._fd = os.dup(fd)
        self._size = os.terminal_size((0, 0))
        self._rows = 0
        self._shown = ""
        self._guard: subprocess.Popen[bytes] | None = None

    def size(self) -> os.terminal_size:
        """Return columns and rows; 80 × 24 where the terminal doesn't know.

        Raises:
          OSError: the terminal is gone.
        """
        size = os.get_terminal_size(self._fd)
        return size if size.columns > 0 and size.lines > 0 else os.terminal_size((80, 24))

    def draw(self, lines: Sequence[str], size: os.terminal_size) -> None:
        """Show *lines* in the last rows, the rows above left to everybody else.

        The place of the board grows as needed and shrinks only when the terminal does.

        Args:
          lines: at most two fewer than the rows of *size*, none as long as a row.
          size: what the lines were made for.

        Raises:
          OSError: the terminal is gone.
        """
        claim = ""
        if size != self._size or len(lines) > self._rows:
            self._rows = len(lines) if size != self._size else max(self._rows, len(lines))
            self._size = size
            claim = self._claim()
        top = size.lines - self._rows + 1
        padded = [*lines, *[""] * (self._rows - len(lines))]
        frame = "".join(f"\x1b[{top + place};1H\x1b[m{line}\x1b[m\x1b[K" for place, line in enumerate(padded))
        if claim or frame != self._shown:
            self._shown = frame
            # The region is set anew each time: another program, or a `reset`, may have taken it away.
            self._write(f"{claim}{_SAVE}\x1b[1;{top - 1}r{frame}{_RESTORE}")

    def _claim(self) -> str:
        """Return what makes room: the rows below the cursor are erased, and the cursor is moved up out of ours."""
        self._post_guard()
        return f"{_GIVE_BACK}{_DOWN * self._rows}\x1b[{self._rows}A"

    def lend(self) -> None:
        """Give the rows back until the next ``draw``.

        Raises:
          OSError: the terminal is gone.
        """
        if self._rows:
            self._rows, self._size, self._shown = 0, os.terminal_size((0, 0)), ""
            self._write(_GIVE_BACK)

    def release(self, last: Sequence[str] = ()) -> None:
        """Give the rows back and forget the terminal; leave the lines *last*, where the next output would stand."""
        try:
            if self._rows:
                self._write(_GIVE_BACK + "".join(f"{line}\x1b[m\r\n" for line in last))
        except OSError:  # gone: there is nothing to give back
            pass
        finally:
            self._rows = 0
            self._dismiss_guard()
            os.close(self._fd)

    def _write(self, text: str) -> None:
        rest = text.encode()
        give_up = time.monotonic() + _PATIENCE
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # somebody has made the terminal non-blocking; half a sequence must not stay there
                if time.monotonic() >= give_up:
                    raise
                select.select([], [self._fd], [], 0.05)

    # -- the guard -----------------------------------------------------------------------------------------------

    def _post_guard(self) -> None:
        if self._guard is None:
            try:
                # In a session of its own: a Ctrl-C that comes before it has set its traps would end it.
                self._guard = subprocess.Popen(
                    ["/bin/sh", "-c", _GUARD],
                    stdin=subprocess.PIPE,
                    stdout=self._fd,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError:  # no shell here: the board is drawn all the same
                return

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            try:
                self._guard.communicate(b"done\n", timeout=_PATIENCE)
            except (OSError, ValueError, subprocess.TimeoutExpired):
                self._guard.kill()
                self._guard.wait()
