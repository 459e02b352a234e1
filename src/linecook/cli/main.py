"""``linecook``: the commands, their options and their help. Imports nothing heavy before it is known what is asked."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from .. import __version__
from . import control_options, explore_options, run_options, watch_options
from .early import forget, remember, was_pressed
from .exits import INTERRUPTED, USAGE, BadUsage
from .usage import Commands, Plain

HELP = """\
Run agents, tools and pipelines, written as plain Python functions, over many inputs at a time.

examples:
  linecook run hello.py:greet '"Ada"'                  one call, its result as JSON
  linecook run desk.py:review '{"path": "a.py"}'       keyword arguments
  linecook run desk.py:review --input files.jsonl --output reviews.jsonl
                                                       one call per line, 64 at a time
  linecook watch app.py                                your asyncio program as it is: what goes wrong in it unseen
  linecook explore bank.py:main                        every order of events that can happen, until one goes wrong

`linecook run --help` explains targets, input, output and exit codes.
"""

COMMANDS: Sequence[Callable[[Commands], None]] = (
    run_options.add,
    watch_options.add,
    explore_options.add,
    control_options.add,
)
"""What adds each command, in the order of ``linecook --help``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
      argv: the words after ``linecook``; None takes them from ``sys.argv``.
    """
    remember()
    try:
        return _run(argv)
    except (Exception, KeyboardInterrupt) as error:
        # Ctrl-C before the run began, or after it had ended. What it breaks off in C may come out as any other error:
        # an ImportError of a half-made module, a module of the user's that "failed".
        if isinstance(error, KeyboardInterrupt) or was_pressed():
            _say("linecook: interrupted.\n")
            return INTERRUPTED
        if isinstance(error, BadUsage):
            return _say_usage(error)
        raise
    finally:
        forget()


def _run(argv: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    options.words = list(sys.argv[1:] if argv is None else argv)
    if options.command is None:
        parser.print_help()
        return 0
    # ``do`` names a module here and the function of the same name in it: only the command asked for is imported.
    module = import_module(f".{options.do}", __package__)
    code: int = getattr(module, options.do)(options)
    return code


def _say_usage(error: BadUsage) -> int:
    _say(f"{error.details}linecook: {error}\n")
    return USAGE


def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody can read it: the exit code still tells
        _discard_stderr()


def _discard_stderr() -> None:
    """Send what waits to be written nowhere: Python would try again at its end, and exit with 120 when it can't."""
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("linecook", description=HELP, formatter_class=Plain, allow_abbrev=False)
    parser.add_argument(
        "--version", action="version", version=f"linecook {__version__}", help="print the version and exit"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    return parser
