"""Real things that a program may do past its loop, refused while a schedule runs: sockets, processes, nested loops."""

from __future__ import annotations

import _thread
import asyncio
import multiprocessing.process
import os
import socket
import subprocess
from collections.abc import Callable
from typing import Any

from ..mistakes import EscapedControl

_CURE = "no real input or output happens in an explored schedule. Stand in for it with outside(value), or a fake"
_SOCKET = (
    "bind",
    "listen",
    "accept",
    "connect",
    "connect_ex",
    "send",
    "sendall",
    "sendto",
    "recv",
    "recv_into",
    "recvfrom",
)
_REAL: tuple[tuple[Any, str, str], ...] = (
    (socket, "getaddrinfo", "socket.getaddrinfo()"),
    (socket, "create_connection", "socket.create_connection()"),
    *((socket.socket, name, f"socket.{name}()") for name in _SOCKET),
    (subprocess.Popen, "__init__", "subprocess.Popen()"),
    (_thread, "start_new_thread", "_thread.start_new_thread()"),
    *(
        (owner, "new_event_loop", "asyncio.run() or new_event_loop() in a thread")
        for owner in (asyncio, asyncio.events)
    ),
    (multiprocessing.process.BaseProcess, "start", "multiprocessing.Process.start()"),
    (os, "system", "os.system()"),
    (os, "fork", "os.fork()"),
    (os, "posix_spawn", "os.posix_spawn()"),
)


class Refusals:
    """Puts an error in the place of each.

    Args:
      refuse: given a call, returns the error to raise, or None to let it through: who calls isn't explored.
    """

    def __init__(self, refuse: Callable[[str, str], EscapedControl | None]) -> None:
        self._refuse = refuse
        self._replaced: list[tuple[Any, str, Any, bool]] = []

    def put_in_place(self) -> None:
        """Replace each."""
        for owner, name, call in _REAL:
            real = getattr(owner, name)
            self._replaced.append((owner, name, real, name in vars(owner)))
            setattr(owner, name, self._refusing(real, call))

    def _refusing(self, real: Callable[..., Any], call: str) -> Callable[..., Any]:
        refuse = self._refuse

        def refusing(*args: Any, **kwargs: Any) -> Any:
            error = refuse(call, _CURE)
            if error is not None:
                raise error
            return real(*args, **kwargs)

        refusing.__name__ = real.__name__
        return refusing

    def put_back(self) -> None:
        """Put back what was there."""
        while self._replaced:
            owner, name, real, was_own = self._replaced.pop()
            if was_own:
                setattr(owner, name, real)
            else:
                delattr(owner, name)  # inherited, as most of a socket's methods are
