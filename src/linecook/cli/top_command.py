"""``linecook top``: the board of another process, again and again, until q or Ctrl-C; once, where nobody looks."""

from __future__ import annotations

import argparse
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from .doing import columns, counted, cut, head
from .exits import ALL_OK
from .remote import NotTold, answered, print_json, reach, told

if TYPE_CHECKING:
    from rich.console import Console

    from linecook.observe import LiveCalls, Remote, Snapshot

_HOME, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # another screen, without a cursor; and back
_KINDS = 6  # rows for what calls do


def top_command(options: argparse.Namespace) -> int:
    """Do what ``linecook top`` was asked for and return the exit code.

    Raises:
      BadUsage: the process can't be looked into.
    """
    return told(lambda: _top(options))


def _top(options: argparse.Namespace) -> int:
    with reach(options.pid) as remote:
        if options.json:
            return print_json(answered(remote.snapshots))
        if not _is_terminal():
            width = columns() or 100
            print(_frame(remote, width, None, _console(color=False)))
            return ALL_OK
        return _watch(remote, options.interval)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")


def _watch(remote: Remote, interval: float) -> int:
    console = _console(color=True)
    try:
        with _screen():
            while True:
                width, height = os.get_terminal_size(sys.stdout.fileno())
                frame = _frame(remote, width - 1, height - 1, console)
                lines = [*frame.split("\n"), f"every {interval:g} s; q or Ctrl-C leaves"][:height]
                _write(_HOME + f"{_END_OF_LINE}\r\n".join(lines) + _END_OF_LINE + _BELOW)
                if _wants_to_leave(interval):
                    return ALL_OK
    except KeyboardInterrupt:
        return ALL_OK
    except NotTold:
        print(f"process {remote.pid} has ended.")
        return ALL_OK


def _frame(remote: Remote, width: int, height: int | None, console: Console) -> str:
    """Return what is going on in *remote*: how far, lanes, tools, stalls; then what its calls do."""
    snapshots = answered(remote.snapshots)
    calls = answered(lambda: remote.calls(0))
    below = _below(calls, remote.program, width)
    rows = None if height is None else max(3, height - len(below))
    return "\n".join([*_board(snapshots, width, rows, console), *below])


def _board(snapshots: list[Snapshot], width: int, rows: int | None, console: Console) -> Iterator[str]:
    from linecook.observe import render

    console.width = width
    for snapshot in snapshots:
        share = None if rows is None else max(1, rows // len(snapshots))
        with console.capture() as captured:
            console.print(render(_for_lookers(snapshot), width, share), soft_wrap=True)
        yield from captured.get().rstrip("\n").split("\n")


def _for_lookers(snapshot: Snapshot) -> Snapshot:
    """Return *snapshot* without the hint how to stop, which is for the terminal of that process."""
    from dataclasses import replace

    return replace(snapshot, hint="it takes in nothing new, and finishes what runs" if snapshot.draining else "")


def _below(calls: LiveCalls, program: str, width: int) -> list[str]:
    kinds = [f"  {line}" for line in counted(calls.counts[:_KINDS])]
    return [cut(line, width) for line in ("", *head(calls, program), *kinds)]


def _console(*, color: bool) -> Console:
    from rich.console import Console

    no_color = not color or bool(os.environ.get("NO_COLOR"))
    return Console(
        file=io.StringIO(),
        force_terminal=color,
        no_color=no_color,
        highlight=False,
        markup=False,
        emoji=False,
        width=80,
    )


@contextmanager
def _screen() -> Generator[None]:
    """Take the terminal's other screen, and keys as they are pressed; whatever happens, give both back."""
    from .stopping import Stopping

    taken = _Taken()
    taken.take()
    stopping = Stopping(taken.give_back, taken.take)
    try:
        with _ending_at_sigterm():
            yield
    finally:
        stopping.forget()
        taken.give_back()


class _Taken:
    """A terminal that is taken and given back, any number of times."""

    def __init__(self) -> None:
        import termios

        self._keys = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._before = None if self._keys is None else termios.tcgetattr(self._keys)

    def take(self) -> None:
        import tty

        _write(_ENTER)
        if self._keys is not None:
            tty.setcbreak(self._keys)

    def give_back(self) -> None:
        import termios

        with suppress(OSError, termios.error):  # it is gone: there is nothing to give back
            if self._keys is not None and self._before is not None:
                termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)
            _write(_LEAVE)


@contextmanager
def _ending_at_sigterm() -> Generator[None]:
    """Leave the block at SIGTERM, as at any error: the terminal isn't left as it is."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _wants_to_leave(seconds: float) -> bool:
    """Wait so long, less if a key is pressed; say whether it was q (or the terminal went away)."""
    if sys.stdin is None or not sys.stdin.isatty():
        select.select([], [], [], seconds)
        return False
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if not ready:
        return False
    pressed = os.read(sys.stdin.fileno(), 1024)
    return not pressed or bool(set(pressed) & {ord("q"), ord("Q")})


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
