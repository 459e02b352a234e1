"""A desk of agents reads real Python source over a network that misbehaves, and prints facts about it.

    python examples/desk.py [FOLDER ...] [--files N] [--out DIR]        PATHS=~/code make demo
    python examples/desk.py --serve                                     make demo ARGS=--serve

A server in a process of its own (`source_server`) hands out the files of the running interpreter and the installed
packages, or of the folders given. Scouts fetch, readers parse, reviewers cross-check, and are killed at random, one a
second; an editor publishes each finding the moment it is certain (`desk_crew`; the rules: `desk_rules.review`). The
same work is done three ways, each in a process of its own: one page after the other, the usual way (`desk_ways`), and
on linecook. Then a model is asked about each file, at a provider that says 429 when it is full (`desk_model`). Then
come `desk.md` and `desk.jsonl`. With `--serve` the crew works alone, and a page in the browser shows its findings
(`desk_page`).
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import signal
import sys
import threading
from pathlib import Path

from desk_children import Run, result_of, run_child
from desk_plan import EVERY, STOPPED_AFTER, Plan, Result, emit, make_plan
from desk_report import (
    NEXT,
    Provided,
    first_lines,
    killed_lines,
    lost_lines,
    lost_the_planted_only,
    model_lines,
    table,
    write_report,
)  # fmt: skip
from source_client import CannotStart, get_index, running_server

WAYS = ("one after the other", "the usual way", "linecook")
MODEL_WAYS = ("a pool of 16", 'Limit("4-16-64")')
MOST_FILES = 500


def main(arguments: list[str]) -> int:
    """Run the desk three ways; 0 when linecook lost the planted pages only, 1 when not, 2 for bad input."""
    asked = _parse(arguments)
    if asked.way:
        return _be_a_child(asked)
    try:
        out = _writable(asked.out)
        if asked.serve is not None:
            from desk_serve import serve

            return serve(asked)
        with running_server(asked.folders) as base:
            return _compare(base, asked, out)
    except (CannotStart, OSError) as error:
        print(f"desk: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndesk: stopped; the server and the crews have ended", file=sys.stderr)
        return 130


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A desk of agents reads Python source over a misbehaving network.")
    parser.add_argument("folders", nargs="*", help="what to read; default: PATHS (a:b), else what is installed")
    parser.add_argument("--files", type=int, default=MOST_FILES, help="most files to read (default: %(default)s)")
    parser.add_argument("--out", default=".", help="where desk.md and desk.jsonl go (default: here)")
    parser.add_argument(
        "--kill-reviewers", type=_seconds, default=1.0, metavar="SECONDS",
        help="kill one of linecook's reviewers at random, so often; 0: never (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--within", type=_seconds, default=600.0, metavar="SECONDS",
        help="for linecook's crew; what isn't read by then is lost (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--serve", type=int, nargs="?", const=0, metavar="PORT",
        help="the crew alone, and a page in the browser that shows its findings, until Ctrl-C (default: any free port)",
    )  # fmt: skip
    parser.add_argument("--way", choices=(*WAYS, *MODEL_WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--base", help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.files < 3:
        parser.error(f"--files must be 3 or more (two of them are planted), not {asked.files}")
    if asked.serve is not None and not 0 <= asked.serve < 65536:
        parser.error(f"--serve: a port is 1 to 65535, or 0 for any that is free, not {asked.serve}")
    asked.folders = asked.folders or [part for part in os.environ.get("PATHS", "").split(os.pathsep) if part]
    return asked


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (0 <= seconds < math.inf):
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more, not {text}")
    return seconds


def _writable(folder: str) -> Path:
    out = Path(folder).expanduser()
    if not out.is_dir() or not os.access(out, os.W_OK):
        raise NotADirectoryError(f"--out {folder} is not a folder that can be written to")
    return out


def _compare(base: str, asked: argparse.Namespace, out: Path) -> int:
    index = get_index(base)
    plan = make_plan(index["files"], asked.files)
    print("\n".join(first_lines(index["roots"], plan)))
    runs = [_run(way, base, asked) for way in WAYS]
    result = runs[-1].result
    print("\n".join(lost_lines(result, plan)))
    told = table(runs, plan, killed_lines(result, asked.kill_reviewers))
    print("\n" + told)
    provided = _ask_a_model(base, asked)
    answers = "\n".join(model_lines(provided))
    print(answers)
    write_report(out, told, index, plan, runs, answers, provided)
    print(f"\nfull report: {out / 'desk.md'}, {out / 'desk.jsonl'}\n{NEXT}")
    return 0 if lost_the_planted_only(result, plan) and runs[-1].exited is not None else 1


def _ask_a_model(base: str, asked: argparse.Namespace) -> list[Provided]:
    """Have a model asked about the files both ways, each at a provider of its own that behaves the same."""
    from desk_model import PHASES, Asked

    from linecook.testing.server import server

    takes = ", then ".join(str(phase.parallel) for phase in PHASES)
    print(
        f"\n== a model, asked about each file; its provider, a stand-in, takes {takes} at once, and says 429",
        flush=True,
    )
    provided: list[Provided] = []
    for way in MODEL_WAYS:
        with server(*PHASES, seed=7) as models:
            answers = Asked(**result_of([*_child(way, base, asked), "--model", models.url])[0])
            provided.append(Provided(way, answers, models.statistics().statuses[429]))
    return provided


def _child(way: str, base: str, asked: argparse.Namespace) -> list[str]:
    options = {"--files": asked.files, "--kill-reviewers": asked.kill_reviewers, "--within": asked.within}
    words = [str(word) for option in options.items() for word in option]
    return [sys.executable, str(Path(__file__)), "--way", way, "--base", base, *words]


def _run(way: str, base: str, asked: argparse.Namespace) -> Run:
    killed = f"; a reviewer is killed every {asked.kill_reviewers:g} s" if asked.kill_reviewers else ""
    notes = {
        "one after the other": f"every {EVERY}th page only",
        "the usual way": f"to_thread + wait_for + gather, stopped after {STOPPED_AFTER:g} s",
        "linecook": f"each finding as soon as it is certain{killed}",
    }
    print(f"\n== {way} ({notes[way]})", flush=True)
    return run_child(_child(way, base, asked), show=way == "linecook")


def _be_a_child(asked: argparse.Namespace) -> int:
    """Do the work one way, and tell the parent in lines of JSON."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    plan = make_plan(get_index(asked.base)["files"], asked.files)
    if asked.way == "linecook":
        emit(result=_work(asked, plan))
    elif asked.way in MODEL_WAYS:
        from desk_model import ask_all, questions_of

        emit(result=ask_all(asked.way, asked.model, questions_of(plan)))
    elif asked.way == "the usual way":
        asyncio.run(_tell_before_the_end(asked.base, plan))
    else:
        from desk_ways import one_after_other

        emit(result=one_after_other(asked.base, plan))
    return 0


def _work(asked: argparse.Namespace, plan: Plan) -> Result:
    from desk_talk import Desk
    from desk_work import work

    from linecook import run

    desk = Desk(
        asked.base, plan, within=asked.within, kill_every=asked.kill_reviewers,
        show=lambda finding: emit(finding=finding),
        tick=lambda now: emit(progress={"done": now.read + now.lost, "of": now.of, "killed": now.killed}),
    )  # fmt: skip
    return run(work(desk))


async def _tell_before_the_end(base: str, plan: Plan) -> None:
    from desk_ways import usual_way

    # From inside the loop: `asyncio.run` waits for the threads of `to_thread` before it returns.
    emit(result=await usual_way(base, plan))


def _end_with_parent() -> None:
    """Wait until standard input ends, then take the whole group down: hung threads and workers would outlive us."""
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
