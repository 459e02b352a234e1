"""``linecook``: the commands, their options and their help. Imports nothing heavy before it is known what is asked."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence

from .early import forget, remember
from .exits import EXIT_CODES, INTERRUPTED, USAGE, BadUsage

HELP = """\
Run agents and tools, written as plain Python functions, many at a time.

examples:
  linecook run hello.py:greet '"Ada"'                  one call, its result as JSON
  linecook run desk.py:review '{"path": "a.py"}'       keyword arguments
  linecook run desk.py:review --input files.jsonl --output reviews.jsonl
                                                       one call per line, 64 at a time

`linecook run --help` explains targets, input, output and exit codes.
"""

RUN_HELP = """\
Call one function: once, or once per line of --input.

TARGET is FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION. The function is an @agent, an @tool, or a plain function: a plain
`async def` runs on the event loop, a plain `def` on a thread. The `if __name__ == "__main__"` block doesn't run.

ARGS_JSON, and each line of --input, is JSON: an object names the parameters, a list is positional, anything else is
the one argument (a function of one list takes [[1, 2]]). Types follow the annotations: int, float, dataclasses,
datetime, Path, Literal, Optional and the like. A line that doesn't fit fails alone, with its number.

examples:
  linecook run hello.py:greet '"Ada"'
  linecook run shop.orders:total '[3, 4.5]' --timeout 10
  linecook run desk.py:review --input files.jsonl --output reviews.jsonl --concurrency 200
  cat urls.jsonl | linecook run fetch.py:fetch --input - --fail-on 50 | jq .value

output: the one call prints its value. With --input there is one JSON line per input, as it ends, in the order of
ending: {"line", "outcome", "value" or "error", "work", "queued", "running", "attempts", "lane"}, where outcome is
ok, failed, timed_out or cancelled, work is finished, not started, stopped or abandoned, and times are seconds. What
JSON can't hold stands as its repr, and "not_json" names the types; NaN becomes null. When results go to standard
output, what your own code prints goes to standard error. Items that never began have no line: the summary counts them.

Ctrl-C: once: takes no new input and finishes what runs. Twice: cancels that too. Three times: ends at once.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Args:
      argv: the words after ``linecook``; None takes them from ``sys.argv``.
    """
    remember()
    try:
        return _run(argv)
    except BadUsage as error:
        return _say_usage(error)
    except KeyboardInterrupt:  # before the run began, or after it had ended
        print("linecook: interrupted.", file=sys.stderr)
        return INTERRUPTED
    finally:
        forget()


def _run(argv: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 0
    from .run_command import run_command

    return run_command(options)


def _say_usage(error: BadUsage) -> int:
    if error.details:
        print(error.details, file=sys.stderr, end="")
    print(f"linecook: {error}", file=sys.stderr)
    return USAGE


def _parser() -> argparse.ArgumentParser:
    plain = _Plain
    parser = argparse.ArgumentParser("linecook", description=HELP, formatter_class=plain, allow_abbrev=False)
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="call one function: once, or once per line of an input file",
        description=RUN_HELP,
        epilog=EXIT_CODES,
        formatter_class=plain,
        allow_abbrev=False,
    )
    _add_run_options(run)
    return parser


def _add_run_options(run: argparse.ArgumentParser) -> None:
    run.add_argument("target", metavar="TARGET", help="FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION")
    run.add_argument("args", metavar="ARGS_JSON", nargs="?", help="arguments of one call, as JSON; none: no arguments")
    run.add_argument("--input", metavar="ITEMS.jsonl", help="one call per line of this file; - reads standard input")
    run.add_argument(
        "--output", metavar="OUT.jsonl", default="-", help="where results go; - is standard output. Never overwritten"
    )
    run.add_argument(
        "--concurrency", metavar="N", type=_at_least_one, help="calls under way at a time, with --input (default: 64)"
    )
    run.add_argument("--timeout", metavar="S", type=_seconds, help="seconds for each call, queueing included")
    run.add_argument(
        "--fail-on", metavar="N|P%", type=_fail_on, help="stop when N items, or P%% of the input file, have failed"
    )
    run.add_argument("--quiet", action="store_true", help="no progress lines; the summary comes all the same")


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Asks for the terminal's width itself: argparse imports shutil for it, and with that every compressor: 4 ms."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width())


def _width() -> int:
    """Return how wide help may be: ``COLUMNS``, else the terminal's width, else 80, less argparse's margin of 2."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns) - 2
    try:
        return (os.get_terminal_size(1).columns or 80) - 2
    except OSError:  # standard output is no terminal, or closed
        return 78


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: the metadata of installed packages takes 30 ms to read."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print("linecook", version("linecook"))
        except PackageNotFoundError:
            print("linecook, run from its sources (not installed)")
        parser.exit()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 up")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0 up")
    return seconds


def _fail_on(text: str) -> int | float:
    """Return a count as an int, a share as a float in (0, 1]."""
    share = text.removesuffix("%")
    number = float(share) / 100 if share != text else int(text)
    if not 0 < number < math.inf or (isinstance(number, float) and number > 1):
        raise argparse.ArgumentTypeError(f"{text} is neither a count from 1 up nor a share up to 100%")
    return number


_at_least_one.__name__ = "whole number"
_seconds.__name__ = "number of seconds"
_fail_on.__name__ = "count or share"
