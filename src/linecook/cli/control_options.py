"""The options of ``linecook top``, ``ps``, ``tree`` and ``cancel``, and their help; imports nothing heavy."""

from __future__ import annotations

import argparse
import math

from .usage import Commands, Plain, at_least_one

WHO = """\
PID is a process of yours that runs `linecook run`, or a program with an open Runtime(control=True). There is nothing to
configure: each opens a Unix socket that only its user can reach. Without PID: the only one there is.
"""

EXIT_CODES = """\
exit codes:
  0    told, or done
  1    not done: the process ended meanwhile, has no such call, or the call can't be ended just now
  2    nothing to look at: no such process, or one that can't be looked into
  74   it could not be told: standard output could not be written (disk full)
  130  Ctrl-C
"""

PS_HELP = f"""\
List the calls under way, longest first, and what each one does or waits for: a lane, a limit, its next attempt, another
call, something of asyncio's, with the line where it stands and the time to its nearest deadline. Without PID, and with
several processes to look at (or with none), list the processes.

{WHO}
examples:
  linecook ps                        which processes can be looked into
  linecook ps 4711                   the 200 longest calls, and how many more there are
  linecook ps 4711 --all --json | jq '.calls[] | select(.waits_for == "limit")'
"""

TREE_HELP = f"""\
Draw the calls under way as a tree: who awaits whom, through fan-outs and scopes, tasks, threads and processes.

{WHO}
examples:
  linecook tree 4711
  linecook tree 4711 --most 20
"""

TOP_HELP = f"""\
Show what a process is doing, again and again: lanes, throughput, outcomes, slowest tools, stalls. q or Ctrl-C leaves,
and leaves the process alone. Into a pipe, it is told once.

{WHO}
examples:
  linecook top 4711
  linecook top 4711 --json           one snapshot, as JSON
"""

CANCEL_HELP = f"""\
Cancel one call, and see it end. CALL is its number or its path, as `linecook ps` shows them.

A call in a task of its own (an item of a fan-out, a call started in a scope or in the background) ends as Cancelled.
Of any other, whoever awaits it gets an error and goes on. A body in a process is stopped with its worker; one on a
thread can't be stopped and is abandoned, as at a time-out. A call that waits for another one in the same task can't be
ended alone: the refusal names those that can.

{WHO}
examples:
  linecook cancel 4711 27
  linecook cancel 4711 'briefing/settle:0/reader[3]' --reason 'stuck since noon'
"""


def add(commands: Commands) -> None:
    """Add ``top``, ``ps``, ``tree`` and ``cancel`` to *commands*."""
    top = _command(commands, "top", "what a running process is doing, live", TOP_HELP)
    top.add_argument("--interval", metavar="S", type=seconds, default=1.0, help="seconds between looks (default: 1)")
    _add_pid(top)
    ps = _command(commands, "ps", "the calls under way in a process, longest first", PS_HELP)
    _add_pid(ps)
    _add_bounds(ps)
    tree = _command(commands, "tree", "the calls under way in a process, as a tree", TREE_HELP)
    _add_pid(tree)
    _add_bounds(tree)
    cancel = _command(commands, "cancel", "cancel one call of a running process", CANCEL_HELP)
    cancel.add_argument("pid", metavar="PID", type=at_least_one, help="the process")
    cancel.add_argument("call", metavar="CALL", help="number or path of the call")
    cancel.add_argument("--reason", metavar="WORDS", default="", help="why, for whoever reads the outcome")


def _command(commands: Commands, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=summary, description=description, epilog=EXIT_CODES, formatter_class=Plain, allow_abbrev=False
    )
    command.set_defaults(do=f"{name}_command")
    command.add_argument("--json", action="store_true", help="one JSON document, with everything that is known")
    return command


def _add_pid(command: argparse.ArgumentParser) -> None:
    command.add_argument("pid", metavar="PID", type=at_least_one, nargs="?", help="the process")


def _add_bounds(command: argparse.ArgumentParser) -> None:
    bounds = command.add_mutually_exclusive_group()
    bounds.add_argument("--most", metavar="N", type=at_least_one, default=200, help="calls to show (default: 200)")
    bounds.add_argument("--all", action="store_true", help="show every call")


def seconds(text: str) -> float:
    """Return a number of seconds from 0.1 up."""
    number = float(text)
    if not 0.1 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0.1 up")
    return number


seconds.__name__ = "number of seconds"
