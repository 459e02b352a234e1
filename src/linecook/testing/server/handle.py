"""The parent's end of the misbehaving server: start it, tell it, ask it, end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .phase import Phase, Seen

_PROGRAM = str(Path(__file__).with_name("program.py"))
_PATIENCE = 10.0  # seconds for it to start or to answer a question


def server(*phases: Phase, seed: int = 0, repeat: bool = False, minute: float = 60.0, slack: float = 0.05) -> Server:
    """Return a server to be entered, with ``async with`` or ``with``.

    Args:
      phases: how it behaves, one after the other, from the first request on; the last one stays. None given: it serves
        everybody.
      seed: decides faults, latencies and token counts, together with the address asked for and how often it was: so
        they don't depend on the order in which requests of different addresses arrive.
      repeat: begin again after the last phase, which must have ``seconds`` then, as all others must.
      minute: seconds in a minute of its windows: a test can't wait for 60.
      slack: seconds by which its windows, of seconds and minutes, are shorter than that: two requests sent a second
        apart may arrive a little closer. Less than a second, and than ``minute``.

    Any method and path will do. It answers as providers of models do: JSON with ``usage``, ``prompt_tokens`` and
    ``completion_tokens``. Tokens in: ``?tokens_in=`` in the address, else a quarter of the body's bytes. Tokens out:
    ``?tokens_out=``, else between a third and all of the ``max_tokens`` of the body (or the address; 100 where nobody
    says).

    Raises:
      ValueError: a phase without ``seconds`` would never end, and another follows.
    """
    _check(phases, repeat)
    if not 0 < minute < math.inf:
        raise ValueError(f"minute of a server must be above 0 seconds, not {minute!r}")
    if not 0 <= slack < min(1.0, minute):
        raise ValueError(f"slack of a server must be 0 or more, less than a second and a minute, not {slack!r}")
    return Server(phases or (Phase(),), {"seed": seed, "repeat": repeat, "minute": minute, "slack": slack})


def _check(phases: tuple[Phase, ...], repeat: bool) -> None:
    endless = [phase for phase in (phases if repeat else phases[:-1]) if phase.seconds is None]
    if endless:
        raise ValueError(f"{endless[0]!r} has no seconds= and never ends, so what comes after it never begins")


class Server:
    """A misbehaving server; made by ``server``. Its methods block for about a millisecond, and may be called anywhere.

    They raise RuntimeError when it isn't running, or has died.

    Attributes:
      url: its address, ending in a slash.
    """

    def __init__(self, phases: tuple[Phase, ...], orders: dict[str, Any]) -> None:
        self._first = {"phases": [asdict(phase) for phase in phases], **orders}
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._last: Seen | None = None
        self.url = ""

    @property
    def pid(self) -> int | None:
        """Its process id; None before it is entered."""
        return None if self._process is None else self._process.pid

    def change(self, *phases: Phase, repeat: bool = False) -> None:
        """Begin *phases* now, in place of what was scripted; answers under way come as they were going to."""
        _check(phases, repeat)
        self._ask({"do": "change", "phases": [asdict(phase) for phase in phases or (Phase(),)], "repeat": repeat})

    def reset(self) -> None:
        """Forget what was counted; windows and phases go on."""
        self._ask({"do": "reset"})

    def statistics(self) -> Seen:
        """Return what it has seen; after its end, what it had."""
        if self._last is not None:
            return self._last
        told = self._ask({"do": "statistics"})
        told["statuses"] = Counter({int(status): count for status, count in told["statuses"].items()})
        told["faults"] = Counter(told["faults"])
        return Seen(**told)

    # -- its life --------------------------------------------------------------------------------------------------

    def __enter__(self) -> Server:
        self._start()
        self._greet(self._line(_PATIENCE))
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    async def __aenter__(self) -> Server:
        self._start()
        give_up = time.monotonic() + _PATIENCE
        try:
            while (line := self._line_nowait()) is None:
                if time.monotonic() > give_up:
                    raise self._silent()
                await asyncio.sleep(0.005)
        except BaseException:
            self._stop()
            raise
        self._greet(line)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        if self._process is not None:
            raise RuntimeError("this server was started before; make a new one with server(...)")
        # Isolated and without site: it imports only the standard library, in half the time.
        command = [sys.executable, "-I", "-S", _PROGRAM]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        os.set_blocking(self._out, False)
        self._tell(self._first)

    def _greet(self, line: bytes) -> None:
        self.url = f"http://127.0.0.1:{json.loads(line)['port']}/"

    def _stop(self) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        if process.stdin.closed:
            return
        try:
            if self.url:
                with contextlib.suppress(RuntimeError):  # it has died, and said so when it was asked
                    self._last = self.statistics()
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    # -- the pipes -------------------------------------------------------------------------------------------------

    @property
    def _out(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _ask(self, question: dict[str, Any]) -> Any:
        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            raise RuntimeError("this server isn't running: enter it with 'async with server(...) as ...'")
        self._tell(question)
        return json.loads(self._line(_PATIENCE))

    def _tell(self, message: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise self._silent() from None

    def _line(self, patience: float) -> bytes:
        give_up = time.monotonic() + patience
        while (line := self._line_nowait()) is None:
            left = give_up - time.monotonic()
            if left <= 0:
                raise self._silent()
            select.select([self._out], [], [], left)
        return line

    def _line_nowait(self) -> bytes | None:
        while b"\n" not in self._unread:
            try:
                more = os.read(self._out, 1 << 16)
            except BlockingIOError:
                return None
            if not more:
                raise self._silent()
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _silent(self) -> RuntimeError:
        assert self._process is not None
        try:  # its pipes close a moment before it is gone
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            code = None
        what = f"says nothing for {_PATIENCE:g} s" if code is None else f"has ended with exit code {code}"
        return RuntimeError(f"the test server (pid {self._process.pid}) {what}; its own words, if any, are on stderr")
