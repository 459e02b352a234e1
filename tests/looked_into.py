"""A program of its own, with a control socket in a place of its own, for tests that look into it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SRC = Path(__file__).parent.parent / "src"

START = """
import asyncio, sys, time
from linecook import Runtime, agent, fail_after, gather, run, scope, settle, tool
"""


@contextlib.contextmanager
def hall() -> Iterator[Path]:
    """A runtime directory with a short name, set for this process and its children: a socket's path has 107 bytes."""
    place = Path(tempfile.mkdtemp(prefix="lc", dir="/tmp"))
    before = {name: os.environ.get(name) for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME")}
    os.environ |= {"XDG_RUNTIME_DIR": str(place), "XDG_STATE_HOME": str(place / "state")}
    try:
        yield place
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        shutil.rmtree(place)


class Program:
    """A Python program that says ``ready`` when it can be looked into.

    Args:
      text: what it does after ``START``; it calls ``ready()``.
    """

    def __init__(self, text: str) -> None:
        source = START + "def ready():\n    print('ready', flush=True)\n" + text
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SRC), os.environ.get("PYTHONPATH", "")])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", source], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self) -> Program:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.communicate(timeout=20)

    def end(self) -> str:
        """Wait for its end, and return what it printed."""
        return self.process.communicate(timeout=20)[0]


def until(condition: Callable[[], bool], patience: float = 10.0) -> bool:
    """Whether *condition* came true in time."""
    deadline = time.monotonic() + patience
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return true
