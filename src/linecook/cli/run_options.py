"""The options of ``linecook run``, and its help; imports nothing heavy."""

from __future__ import annotations

import argparse

from .exits import EXIT_CODES
from .usage import Commands, Plain, at_least_one, count_or_share, seconds_from_0

SHOWN = ("board", "lines", "json", "none")

RUN_HELP = """\
Call one function: once, or once per item of --input.

TARGET is FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION. The function is an @agent, an @tool, or a plain function: a plain
`async def` runs on the event loop, a plain `def` on a thread. The `if __name__ == "__main__"` block doesn't run.
A function `def flow(items: Iterable[Page]) -> Pipeline[Answer]` is called once with all of --input, read as Pages: each
item gets one outcome, its stages have bounds of their own (no --concurrency, no --timeout).

ARGS_JSON is JSON: an object names the parameters, a list is positional, anything else is the one argument (a function
of one list takes [[1, 2]]). Types follow the annotations: int, float, dataclasses, datetime, Path, Literal, Optional
and the like; pydantic's types by pydantic.

examples:
  linecook run hello.py:greet '"Ada"'
  linecook run shop.orders:total '[3, 4.5]' --timeout 10
  linecook run desk.py:review --input files.jsonl --output reviews.jsonl --concurrency 200
  linecook run desk.py:review --input prices.csv --output reviews.csv --take 20
  linecook run desk.py:review --input 'docs/**/*.md' --output reviews.jsonl
  cat urls.jsonl | linecook run fetch.py:fetch --input - --fail-on 50 | jq .value

input: one call per item. An item that doesn't fit fails alone, with its number.
  .jsonl   each line is JSON, as ARGS_JSON is; so is - (standard input, read as it comes)
  .json    one list of such values; read as a whole, up to 1 GiB
  .csv     the first row names the columns, which are parameters; cells are read by their annotations (no annotation:
           text). An empty cell is None where that is allowed, else the default, else the item fails
  .txt     each line is the one argument
  DIR, 'GLOB'  each file's path is the one argument: sorted, hidden ones left out; quote the pattern
Each but a directory may be gzipped (.jsonl.gz). Keys and columns that name no parameter are an error, unless
--ignore-extra leaves them out. What is added to a file while it is read belongs to the next run.

output: the one call prints its value. With --input there is one JSON line per item, as it ends, in the order of
ending: {"line", "input", "outcome", "value" or "error", "work", "queued", "running", "attempts", "lane", "function"}.
line is the item's line or place; input is a hash of its content; outcome is ok, failed, timed_out or cancelled; work is
finished, not started, stopped or abandoned; times are seconds. What JSON can't hold stands as its repr, and "not_json"
names the types; NaN becomes null. A .csv has the same in columns, one for each field of the value. When results go to
standard output, what your own code prints goes to standard error. Items that never began have no line.

The same command again goes on where the last one stopped: it skips every item of which the output holds an outcome,
known by line and content (a file by path and content), and adds the others. What was cancelled runs again, what
failed or timed out only with --retry-failed. Where a line has several outcomes the last one counts. An output that
holds anything else is refused, and so is one that another run writes to.

Options but --input and --output can also stand in [tool.linecook] of the nearest pyproject.toml, or in
[tool.linecook.run]: concurrency = 200, fail-on = "2%", show = "lines". What is typed goes first.

Ctrl-C: once: takes no new input and finishes what runs. Twice: cancels that too. Three times: ends at once.
"""


def add(commands: Commands) -> None:
    """Add ``run`` to *commands*."""
    run = commands.add_parser(
        "run",
        help="call one function: once, or once per item of an input",
        description=RUN_HELP,
        epilog=EXIT_CODES,
        formatter_class=Plain,
        allow_abbrev=False,
    )
    run.set_defaults(do="run_command")
    _add_what(run)
    _add_how(run)


def _add_what(run: argparse.ArgumentParser) -> None:
    """Add what is called, with what, and where the results go."""
    run.add_argument("target", metavar="TARGET", help="FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION")
    run.add_argument("args", metavar="ARGS_JSON", nargs="?", help="arguments of one call, as JSON; none: no arguments")
    run.add_argument(
        "--input", metavar="ITEMS", help="one call per item of this file, directory or pattern; - is standard input"
    )
    run.add_argument(
        "--output", metavar="OUT.jsonl", default="-", help="where results go, .jsonl or .csv; - is standard output"
    )
    run.add_argument("--take", metavar="N", type=at_least_one, help="only the first N items of the input")
    run.add_argument(
        "--ignore-extra", action="store_true", default=None, help="leave out keys and columns that name no parameter"
    )
    run.add_argument(
        "--retry-failed",
        action="store_true",
        default=None,
        help="run again what the output holds as failed or timed out",
    )


def _add_how(run: argparse.ArgumentParser) -> None:
    """Add how many at a time, how long, until when, and what is shown meanwhile."""
    run.add_argument(
        "--concurrency", metavar="N", type=at_least_one, help="calls under way at a time, with --input (default: 64)"
    )
    run.add_argument("--timeout", metavar="S", type=seconds_from_0, help="seconds for each call, queueing included")
    run.add_argument(
        "--fail-on",
        metavar="N|P%",
        type=count_or_share,
        help="stop when N items, or P%% of the input file, have failed",
    )
    run.add_argument(
        "--show",
        choices=SHOWN,
        help="progress on standard error: the board (default on a terminal), lines (default elsewhere), json (one "
        "snapshot per second), none; the summary comes all the same",
    )
    run.add_argument(
        "--no-control",
        dest="control",
        action="store_false",
        default=None,
        help="open no control socket: linecook ps, top, tree and cancel don't reach this run",
    )
    run.add_argument("--quiet", action="store_true", default=None, help="the same as --show none")
