"""Standard input and output, kept for items and outcomes: what the program itself reads and prints goes elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator

from .exits import BadUsage


def is_open(fd: int) -> bool:
    """Say whether the descriptor *fd* is open."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def open_stderr() -> None:
    """See that there is a standard error: a file that took its number would get our messages."""
    if not is_open(2):
        nothing = os.open(os.devnull, os.O_WRONLY)
        if nothing != 2:
            os.dup2(nothing, 2)
            os.close(nothing)
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - for the life of the process


@contextlib.contextmanager
def claimed_stdout() -> Generator[int]:
    """Keep standard output for the outcomes: what the program prints meanwhile goes to standard error.

    Yields:
      A descriptor of the real standard output. Worker processes and C code are covered: the swap is the system's.

    Raises:
      BadUsage: it is closed.
    """
    if not is_open(1):
        raise BadUsage("standard output is closed: give --output FILE for the results.")
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # in the order of printing, without another buffer
            yield ours
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()  # what somebody wrote to sys.__stdout__
        os.dup2(ours, 1)
        os.close(ours)


@contextlib.contextmanager
def claimed_stdin() -> Generator[int]:
    """Keep standard input for the items: what the program reads from it meanwhile is at its end at once.

    Yields:
      A descriptor of the real standard input.

    Raises:
      BadUsage: it is closed.
    """
    if not is_open(0):
        raise BadUsage("--input -: standard input is closed.")
    ours = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        yield ours
    finally:
        os.dup2(ours, 0)
        os.close(ours)
