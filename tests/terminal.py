"""A terminal of the test's own: a real pty, with a screen behind it that shows what somebody would see."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyte

# A terminal whose first program ends is hung up. The shell stays, tells how the program ended, and lets nothing happen.
_SHELL = 'trap : INT HUP; "$@"; echo $? >/dev/fd/$0; while :; do sleep 60; done'

PATIENCE = 20.0  # seconds until what a test waits for must have appeared


class Terminal:
    """What programs write to ``stream``, or to the terminal they were started in, appears on ``screen``.

    Attributes:
      screen: what there is to see; ``lines`` reads it.
      raw: everything that was ever written.
    """

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self._ours, theirs = pty.openpty()
        self.stream = io.TextIOWrapper(io.FileIO(theirs, "w"), encoding="utf-8", write_through=True)
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000)
        self._feed = pyte.ByteStream(self.screen)
        self.raw = b""
        self._leader: subprocess.Popen[bytes] | None = None
        self._ended = -1
        self._set_size(columns, rows)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._leader is not None:
            os.killpg(self._leader.pid, signal.SIGKILL)
            self._leader.wait()
            os.close(self._ended)
        self.vanish()
        self.stream.close()

    # -- looking -------------------------------------------------------------------------------------------------

    def look(self, seconds: float = 0.02) -> list[str]:
        """Read what was written within *seconds*, and return the rows of the screen, without trailing blanks."""
        until = time.monotonic() + seconds
        while self._ours < 0 and time.monotonic() < until:
            time.sleep(seconds)
        while self._ours >= 0 and select.select([self._ours], [], [], max(0.0, until - time.monotonic()))[0]:
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:  # nobody has it open any more
                break
            if not chunk:
                break
            self.raw += chunk
            self._feed.feed(chunk)
        return self.lines

    @property
    def lines(self) -> list[str]:
        """The rows of the screen."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def history(self) -> list[str]:
        """What has scrolled off the top."""
        rows = self.screen.history.top
        return ["".join(row[x].data for x in range(self.screen.columns)).rstrip() for row in rows]

    def wait_for(self, seen: str | Callable[[list[str]], bool]) -> list[str]:
        """Look until a row holds *seen*, or ``seen(rows)`` is true; return the rows."""
        is_there = seen if callable(seen) else lambda rows: any(seen in row for row in rows)
        until = time.monotonic() + PATIENCE
        while not is_there(rows := self.look()):
            assert time.monotonic() < until, f"not seen in {PATIENCE:g} s; the screen shows\n" + "\n".join(rows)
        return rows

    # -- doing ---------------------------------------------------------------------------------------------------

    def resize(self, columns: int, rows: int) -> None:
        """Give it another size, as dragging the corner of its window does."""
        self.look()
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        r"""Press *keys*; ``"\x03"`` is Ctrl-C."""
        os.write(self._ours, keys.encode())

    def vanish(self) -> None:
        """Close its window."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def start(self, command: Sequence[str | os.PathLike[str]], environment: dict[str, str], folder: Path) -> None:
        """Start a program in front of it: standard streams, signals and all, and a shell behind it that stays."""
        fd = self.stream.fileno()
        self._ended, theirs = os.pipe()
        self._leader = subprocess.Popen(
            ["/bin/sh", "-c", _SHELL, str(theirs), *command], stdin=fd, stdout=fd, stderr=fd, cwd=folder,
            start_new_session=True, preexec_fn=_take_terminal, pass_fds=[theirs],
            env={"TERM": "xterm-256color", **environment},
        )  # fmt: skip
        os.close(theirs)

    def python(self, program: str, environment: dict[str, str], folder: Path, *words: str) -> None:
        """Start *program*, a text, with this Python."""
        (folder / "program.py").write_text(program)
        self.start([sys.executable, "program.py", *words], environment, folder)

    def wait_end(self) -> int:
        """Look until the program has ended; return its exit code as a shell says it: 130 when Ctrl-C has killed it."""
        until = time.monotonic() + PATIENCE
        while not select.select([self._ended], [], [], 0)[0]:
            self.look()
            assert time.monotonic() < until, "it has not ended; the screen shows\n" + "\n".join(self.lines)
        self.look(0.1)
        return int(os.read(self._ended, 16))


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGHUP):  # the tests may have been started in the background
        signal.signal(number, signal.SIG_DFL)
