"""What the commands that look into another process share: finding it, and telling why that failed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .exits import ALL_OK, NOT_WRITTEN, PIPE_CLOSED, SOME_FAILED, BadUsage

if TYPE_CHECKING:
    from linecook.observe import Remote

T = TypeVar("T")


class NotTold(Exception):
    """The process could be reached and didn't answer; the message says why. Exit code 1."""


def reach(pid: int | None) -> Remote:
    """Return a connection to process *pid*; None: to the only one there is.

    Raises:
      BadUsage: there is none, or there are several; the message says what to do.
    """
    from linecook.observe import Remote, processes

    if pid is not None:
        try:
            return Remote(pid)
        except OSError as error:
            raise BadUsage(str(error)) from None
    found = processes()
    if len(found) == 1:
        return found[0]
    for each in found:
        each.close()
    if not found:
        raise BadUsage(
            "no process of yours can be looked into just now. Those that can: `linecook run`, and programs with an "
            "open Runtime(control=True)."
        )
    listed = "\n".join(f"  {each.pid}  {each.program}" for each in found)
    raise BadUsage(f"which process? Say its PID:\n{listed}")


def answered(ask: Callable[[], T]) -> T:
    """Return ``ask()``, a question to another process.

    Raises:
      NotTold: it went away, or took too long.
    """
    try:
        return ask()
    except OSError as error:  # ConnectionError and TimeoutError are among them
        raise NotTold(str(error)) from None


def told(work: Callable[[], int]) -> int:
    """Return the exit code of *work*, with what went wrong said on standard error.

    Raises:
      BadUsage: there is no standard output to tell anything on.
    """
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise BadUsage("standard output is closed: there is nowhere to tell it.")
    try:
        code = work()
        sys.stdout.flush()
    except NotTold as error:
        print(f"linecook: {error}.", file=sys.stderr)
        return SOME_FAILED
    except BrokenPipeError:  # the reader of our output has seen enough
        _drop_stdout()
        return PIPE_CLOSED
    except OSError as error:  # a full disk; of the other process everything is a NotTold
        _drop_stdout()
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone, and standard error with it
            print(f"linecook: standard output could not be written: {error.strerror or error}.", file=sys.stderr)
        return NOT_WRITTEN
    return code


def _drop_stdout() -> None:
    """Have the interpreter not complain at its exit about what it couldn't write."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(document: object) -> int:
    """Print *document* as one line of JSON."""
    from msgspec import json

    print(json.encode(document).decode())
    return ALL_OK
