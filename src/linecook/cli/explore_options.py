"""The options of ``linecook explore``, and its help; imports nothing heavy."""

from __future__ import annotations

import argparse

from .usage import Commands, Plain, at_least_one
from .watch_options import seconds_above_0

EXPLORE_HELP = """\
Run an async function under every order of events that can happen, cheapest first, until one fails.

FILE.py:FUNCTION names an async function without arguments. It runs as it is, linecook or plain asyncio, on a loop with
virtual time and no real input or output: tool calls, threads, timers and `outside(value)` arrive in every order. What
would leave that control (a socket, a subprocess) is an error that names the call.

examples:
  linecook explore counter.py:main
  linecook explore bank.py:main --invariant bank.py:nothing_lost --overtakings 3
  linecook explore bank.py:main --token TOKEN       the one schedule that failed, again
  linecook explore bank.py:main --faults 1          also: tools that raise, hang, answer late or twice; cancels

A failure is made as small as it gets, and told with its schedule, the accesses and awaits involved, and a token.
"""

EXIT_CODES = """\
exit codes:
  0    no schedule failed; the verdict says what was searched, and never more than that
  1    a schedule failed
  2    nothing (more) could be run: wrong TARGET, wrong options, a token of another program, something real in it
  130  Ctrl-C; what was searched until then is told
"""


def add(commands: Commands) -> None:
    """Add ``explore`` to *commands*."""
    explore = commands.add_parser(
        "explore",
        help="find the races of a program by running it in every order that can happen",
        description=EXPLORE_HELP,
        epilog=EXIT_CODES,
        formatter_class=Plain,
        allow_abbrev=False,
    )
    explore.set_defaults(do="explore_command")
    explore.add_argument(
        "target", metavar="FILE.py:FUNCTION", help="the async function to run; or PACKAGE.MODULE:FUNCTION"
    )
    explore.add_argument(
        "--invariant",
        metavar="FILE.py:FUNCTION",
        help="a plain function that must hold after each step, and at the end",
    )
    explore.add_argument("--schedules", metavar="N", type=at_least_one, help="most schedules to run")
    explore.add_argument("--seconds", metavar="S", type=seconds_above_0, help="most time to search")
    explore.add_argument(
        "--overtakings", metavar="N", type=from_0, default=2, help="most arrivals before what is ready (default: 2)"
    )
    explore.add_argument(
        "--faults", metavar="N", type=from_0, default=0, help="most faults in one schedule (default: 0)"
    )
    explore.add_argument(
        "--tier",
        choices=("stock", "any"),
        default="stock",
        help="stock: what a stock event loop can do (default); any: what any scheduler could",
    )
    explore.add_argument("--seed", metavar="N", type=int, default=0, help="of random, and of the samples (default: 0)")
    explore.add_argument("--token", help="run one schedule: that of a failure found before")
    explore.add_argument("--json", action="store_true", help="the result as one JSON object")


def from_0(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 up")
    return number
