"""The desk's client: synchronous, plain `urllib`, one connection per request; and the server process it talks to.

It has no time-out of its own, as urllib and requests have none by default: whoever calls bounds the wait from outside.
All crews use this same client.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["CannotStart", "get_file", "get_index", "in_flight", "running_server"]

# Loopback never goes through a proxy, whatever the environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class CannotStart(RuntimeError):
    """The server ended before it served; the message is what it said."""


_under_way = 0
_lock = threading.Lock()


def in_flight() -> int:
    """Return how many calls of `get_file` have begun and not come back."""
    return _under_way


def get_file(base: str, crew: str, number: int, *, timeout: float | None = None) -> bytes:
    """Return the bytes of file *number*.

    Args:
      crew: who asks; the server counts attempts by it.
      timeout: seconds that the socket may be silent; None waits for ever, as `urllib` does by default.

    Raises:
      urllib.error.HTTPError: the server answered with an error; 429 carries ``Retry-After`` in ``.headers``.
      OSError: the connection was reset or refused; `urllib.error.URLError` is one.
    """
    request = urllib.request.Request(f"{base}/file/{number}", headers={"X-Crew": crew})
    _count(+1)
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            body: bytes = answer.read()
        return body
    except urllib.error.HTTPError as error:
        error.close()  # its status and headers are all that is asked of it
        raise
    finally:
        _count(-1)


def _count(step: int) -> None:
    global _under_way
    with _lock:
        _under_way += step


def get_index(base: str) -> dict[str, Any]:
    """Return the server's index; it is never delayed."""
    with _OPENER.open(f"{base}/index", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@contextmanager
def running_server(roots: list[str], *, timeout: float = 30.0) -> Generator[str, None, None]:
    """Start the source server in a process of its own and give its base address; it ends with the block.

    It ends with this process too, however that dies: its standard input is a pipe from here.

    Raises:
      CannotStart: a root doesn't exist or holds no Python file, or the server wasn't up in *timeout* seconds.
    """
    command = [sys.executable, str(Path(__file__).with_name("source_server.py")), *roots]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield f"http://127.0.0.1:{_first_line(server, timeout)}"
    finally:
        server.terminate()
        server.communicate()


def _first_line(server: subprocess.Popen[bytes], timeout: float) -> int:
    assert server.stdout is not None
    assert server.stderr is not None
    deadline = time.monotonic() + timeout
    ready = select.select([server.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]
    line = server.stdout.readline() if ready else b""
    if line.strip().isdigit():
        return int(line)
    if ready:
        said = server.stderr.read().decode(errors="replace").strip()
        raise CannotStart(said.removeprefix("source_server: ") or f"the source server ended with {server.wait()}")
    raise CannotStart(
        f"the source server was not up within {timeout:g} s; are the folders on a slow disk? pid {os.getpid()}"
    )
