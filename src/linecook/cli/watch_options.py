"""The options of ``linecook watch``, and its help; imports nothing heavy."""

from __future__ import annotations

import argparse
import math

from .usage import Commands, Plain

WATCH_HELP = """\
Run an asyncio program as it is, and say what went wrong in it without anybody noticing.

The program needn't know linecook, and isn't changed: FILE.py runs as `python FILE.py` would run it, MODULE as
`python -m MODULE`, with the words after it as its own. Options of watch come before.

examples:
  linecook watch app.py
  linecook watch --json --output found.json app.py --port 8000
  linecook watch -m uvicorn app:app

found: stalls of any event loop; calls that wait for a thread of the default pool, and behind what; slow name look-ups
there; CPU work in threads, which holds the interpreter; tasks lost or left over; exceptions that nobody looked at;
coroutines never awaited; threads that keep the program from exiting; the longest waits. Each with its line and a cure.

The report goes to standard error when the program ends; Ctrl-\\ (SIGQUIT) prints it so far, and the program goes on.
A task is named by the line that made it; a coroutine never awaited by the line that made and dropped it, or, where it
was dropped elsewhere, by that line and its function (--origins tells the line that made it). What can't be seen stands
at the end of the report. A program that is killed, or that a signal ends which it doesn't handle, or that leaves
through os._exit, leaves no report.
"""

CODES = """\
exit code: the program's own; 2 when there is no such program.
"""


def add(commands: Commands) -> None:
    """Add ``watch`` to *commands*."""
    watch = commands.add_parser(
        "watch",
        help="run an unchanged asyncio program and say what goes wrong in it unseen",
        description=WATCH_HELP,
        epilog=CODES,
        formatter_class=Plain,
        allow_abbrev=False,
        usage="linecook watch [options] (FILE.py | -m MODULE) [ARGUMENT ...]",
    )
    watch.set_defaults(do="watch_command")
    watch.add_argument("-m", dest="as_module", action="store_true", help="run a module, as python -m does")
    watch.add_argument("program", metavar="FILE.py", help="the program; with -m, a module or package")
    rest = watch.add_argument(
        "arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER, help="the program's own arguments"
    )
    rest.required = False  # else argparse says that they are missing, where only the program is
    watch.add_argument(
        "--stall", metavar="S", type=seconds_above_0, default=0.1, help="seconds that block the loop (default: 0.1)"
    )
    watch.add_argument("--every", metavar="S", type=seconds_above_0, help="report so far, every so many seconds")
    watch.add_argument("--json", action="store_true", help="one JSON object per report, on a line of its own")
    watch.add_argument("--output", metavar="FILE", help="write reports there, not to standard error; overwritten")
    lines = watch.add_mutually_exclusive_group()
    lines.add_argument(
        "--origins",
        action="store_true",
        help="remember which line made each coroutine, not only each task: for one that was never awaited, and dropped "
        "elsewhere than on the line that made it; slows down libraries that make many",
    )
    lines.add_argument(
        "--light",
        action="store_true",
        help="don't remember which line made a task either: for programs that make 10,000 and more a second",
    )


def seconds_above_0(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds


seconds_above_0.__name__ = "number of seconds"
