"""The live board of a run: what runs, what waits, what is slow, what failed, when it ends and how to stop it."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import TextIO

from .panel import Line, lines, painted
from .screen import Screen
from .snapshot import Snapshot
from .teller import Teller

_log = logging.getLogger("linecook")

_FIRST = 0.3  # seconds before the first frame: what is over by then needs no board
_PAUSE = 0.25  # seconds between two frames, at least
_LONGEST = 2.0
_SHARE = 0.01  # of one CPU that drawing may use: dear frames make the pauses longer, up to the longest
_LEAST_LINES = 5  # rows of the smallest terminal that is drawn on
_LEAST_COLUMNS = 20
_MOST_ROWS = 20
_WITH_RULE = 8  # rows from which one is spared for a line between the board and the rest
_PLAIN = str.maketrans({"━": "#", "─": ".", "–": "-", "·": "|", "…": "~", "µ": "u"})


class Board(Teller):
    """Draws what is going on in the last rows of a terminal, at most four times a second, from a thread of its own.

    What the program prints meanwhile scrolls above it, whoever prints it. A terminal that goes away ends the board and
    nothing else. With ``NO_COLOR`` it has no colours.

    Use it as a context manager, or call ``close``: until then its daemon thread runs and the rows are taken. They are
    given back also when the interpreter exits without that, or when the process is killed.
    """

    def __init__(self, total: int | None, stream: TextIO, *, keep: bool = False) -> None:
        """Begin; the first frame is drawn after 0.3 s.

        Args:
          total: how many outcomes there will be; None: not known, and no share or time left is shown.
          stream: the terminal, such as ``sys.stderr``; see ``wants_board``.
          keep: whether ``close`` leaves the last frame; else it leaves nothing.

        Raises:
          ValueError: *total* is negative, or *stream* is no terminal that can be drawn on.
        """
        super().__init__(total)
        if not _can_draw(stream):
            raise ValueError("the board needs a terminal that can be drawn on; ask wants_board(stream) first")
        self._keep = keep
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._screen = Screen(stream.fileno())
        self._colours = not os.environ.get("NO_COLOR")
        self._has_drawn = False
        self._is_aside = False
        self._drawing = threading.Lock()  # never held while a snapshot is made: step_aside may interrupt that
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._draw_all, name="linecook-board", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def close(self) -> None:
        """Give the rows back and end the thread; wait at most two seconds for a terminal that takes nothing."""
        if not self._closing.is_set():
            self._closing.set()
            self._thread.join(timeout=2.0)
            self._facts.close()
            atexit.unregister(self.close)

    def step_aside(self) -> None:
        """Give the rows back until ``come_back``, as before Ctrl-Z stops the process. A signal handler may call it."""
        self._is_aside = True
        if self._drawing.acquire(timeout=1.0):  # for a terminal that takes nothing
            try:
                self._screen.lend()
            except OSError:  # the terminal is gone
                pass
            finally:
                self._drawing.release()

    def come_back(self) -> None:
        """Take the rows again, with the next frame."""
        self._is_aside = False

    # -- on the board's own thread -------------------------------------------------------------------------------

    def _draw_all(self) -> None:
        last: list[str] = []
        try:
            pause = _FIRST
            while not self._closing.wait(pause):
                pause = self._draw()
            if self._keep and self._has_drawn:
                last = self._lines(self._facts.snapshot(), self._screen.size())
        except OSError:  # the terminal is gone, and with it whoever could look
            pass
        except Exception:
            _log.exception("the board failed, and is drawn no more; the run goes on")
        finally:
            with self._drawing:
                self._screen.release(last)

    def _draw(self) -> float:
        """Draw one frame and return the seconds to the next."""
        began, is_first = time.thread_time(), not self._has_drawn
        size = self._screen.size()
        if size.lines >= _LEAST_LINES and size.columns >= _LEAST_COLUMNS:
            shown = self._lines(self._facts.snapshot(), size)
            with self._drawing:
                if not self._is_aside:
                    self._screen.draw(shown, size)
                    self._has_drawn = True
        if is_first:  # it has imported what it needs, which the others don't
            return _PAUSE
        return min(_LONGEST, max(_PAUSE, (time.thread_time() - began) / _SHARE))

    def _lines(self, snapshot: Snapshot, size: os.terminal_size) -> list[str]:
        # A column less than there are: at the last one terminals differ in where the cursor then stands.
        width, height = size.columns - 1, min(_MOST_ROWS, size.lines * 2 // 3, size.lines - 3)
        rule: list[Line] = [[("─" * width, "dim")]] if height >= _WITH_RULE else []
        shown = [*rule, *lines(snapshot, width, height - len(rule))]
        return [self._encodable(painted(line, colours=self._colours)) for line in shown]

    def _encodable(self, line: str) -> str:
        if _can_encode(line, self._encoding):
            return line
        return line.translate(_PLAIN).encode("ascii", "replace").decode()


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def wants_board(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Say whether a board belongs on *stream*: a terminal with somebody in front of it.

    False for files and pipes, under continuous integration (``CI`` is set), and where ``TERM`` names no terminal that
    can be drawn on (``dumb``, ``unknown``, or nothing). ``NO_COLOR`` makes the board plain and doesn't forbid it.

    Args:
      stream: where it would be drawn.
      environ: the environment to go by; None for the process's own.
    """
    environ = os.environ if environ is None else environ
    return environ.get("CI", "").lower() in ("", "0", "false") and _can_draw(stream, environ)


def _can_draw(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    environ = os.environ if environ is None else environ
    try:
        is_terminal = os.isatty(stream.fileno())
    except (OSError, ValueError, AttributeError):  # no file at all, or a closed one
        return False
    return is_terminal and environ.get("TERM", "").lower() not in ("", "dumb", "unknown")
