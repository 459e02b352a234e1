"""The options of ``linecook run``, and its help; imports nothing heavy."""

from __future__ import annotations

from .exits import EXIT_CODES
from .usage import Commands, Plain, at_least_one, count_or_share, seconds_from_0

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


def add(commands: Commands) -> None:
    """Add ``run`` to *commands*."""
    run = commands.add_parser(
        "run",
        help="call one function: once, or once per line of an input file",
        description=RUN_HELP,
        epilog=EXIT_CODES,
        formatter_class=Plain,
        allow_abbrev=False,
    )
    run.set_defaults(do="run_command")
    run.add_argument("target", metavar="TARGET", help="FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION")
    run.add_argument("args", metavar="ARGS_JSON", nargs="?", help="arguments of one call, as JSON; none: no arguments")
    run.add_argument("--input", metavar="ITEMS.jsonl", help="one call per line of this file; - reads standard input")
    run.add_argument(
        "--output", metavar="OUT.jsonl", default="-", help="where results go; - is standard output. Never overwritten"
    )
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
    run.add_argument("--quiet", action="store_true", help="no progress lines; the summary comes all the same")
