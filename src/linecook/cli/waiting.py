"""A word for whoever waits at a terminal for something that usually takes no time."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Generator

PATIENCE = 1.0  # seconds


@contextlib.contextmanager
def said_when_slow(words: str) -> Generator[None]:
    """Say *words* on standard error if the block takes longer than ``PATIENCE``, and somebody looks there."""
    if not _is_terminal():
        yield
        return
    timer = threading.Timer(PATIENCE, _say, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(words: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"linecook: {words}", file=sys.stderr, flush=True)


def _is_terminal() -> bool:
    try:
        return os.isatty(2)
    except OSError:
        return False
