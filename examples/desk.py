"""A desk of agents reads real Python source over a network that misbehaves, and prints facts about it.

    python examples/desk.py [FOLDER ...] [--files N] [--out DIR]        PATHS=~/code make demo

A server in a process of its own (`source_server`) hands out the files of the running interpreter and the installed
packages, or of the folders given. Scouts fetch, readers parse, reviewers cross-check, an editor prints each finding
the moment it is certain (`desk_crew`; the rules: `desk_rules.review`). The same work is done three ways, each in a
process of its own: one page after the other, the usual way (`desk_ways`), and on linecook. Then a model is asked about
each file, at a provider that says 429 when it is full (`desk_model`). Then come `desk.md` and `desk.jsonl`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from itertools import count
from pathlib import Path

from desk_children import Run, result_of, run_child
from desk_plan import EVERY, STOPPED_AFTER, Plan, emit, make_plan
from desk_report import Provided, finding_lines, lost_lines, model_lines, table, write_report
from desk_rules import Finding
from source_client import CannotStart, get_index, running_server

WAYS = ("one after the other", "the usual way", "linecook")
MODEL_WAYS = ("a pool of 16", 'Limit("4-16-64")')
MOST_FILES = 500


def main(arguments: list[str]) -> int:
    """Run the desk three ways; 0 when linecook lost the planted pages only, 1 when not, 2 for bad input."""
    asked = _parse(arguments)
    if asked.way:
        return _be_a_child(asked.way, asked.base, asked.files, asked.model)
    try:
        out = _writable(asked.out)
        with running_server(asked.folders) as base:
            return _compare(base, asked.files, out)
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
    parser.add_argument("--way", choices=(*WAYS, *MODEL_WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--base", help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.files < 3:
        parser.error(f"--files must be 3 or more (two of them are planted), not {asked.files}")
    asked.folders = asked.folders or [part for part in os.environ.get("PATHS", "").split(os.pathsep) if part]
    return asked


def _writable(folder: str) -> Path:
    out = Path(folder).expanduser()
    if not out.is_dir() or not os.access(out, os.W_OK):
        raise NotADirectoryError(f"--out {folder} is not a folder that can be written to")
    return out


def _compare(base: str, most: int, out: Path) -> int:
    index = get_index(base)
    plan = make_plan(index["files"], most)
    _announce(index["roots"], plan)
    runs = [_run(way, base, plan, most) for way in WAYS]
    print("\n".join(lost_lines(runs[-1].result, plan)))
    told = table(runs, plan)
    print("\n" + told)
    provided = _ask_a_model(base, most)
    asked = "\n".join(model_lines(provided))
    print(asked)
    write_report(out, told, index, plan, runs, asked, provided)
    print(f"\nfull report: {out / 'desk.md'}, {out / 'desk.jsonl'}\nnow your own code:\n\nPATHS=~/code make demo")
    planted = {entry.id for entry in plan.packages["planted"]}
    return 0 if set(runs[-1].result.lost) == planted and runs[-1].exited is not None else 1


def _announce(roots: list[str], plan: Plan) -> None:
    print(f"reading {len(plan.entries):,} files in {len(plan.packages):,} packages from {', '.join(roots)}")
    if plan.left_out:
        less = "those poorest in async code; --files N reads more"
        print(f"left out: {plan.left_out:,} files in {plan.packages_left_out:,} packages ({less})")
    print(
        "answers take 30-150 ms; 1 % of the requests hang, 2 % get 429, 1 % a reset; two planted files crash and loop"
    )


def _ask_a_model(base: str, most: int) -> list[Provided]:
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
            asked = Asked(**result_of([*_child(way, base, most), "--model", models.url])[0])
            provided.append(Provided(way, asked, models.statistics().statuses[429]))
    return provided


def _child(way: str, base: str, most: int) -> list[str]:
    return [sys.executable, str(Path(__file__)), "--way", way, "--base", base, "--files", str(most)]


def _run(way: str, base: str, plan: Plan, most: int) -> Run:
    notes = {
        "one after the other": f"every {EVERY}th page only",
        "the usual way": f"to_thread + wait_for + gather, stopped after {STOPPED_AFTER:g} s",
        "linecook": "each finding as soon as it is certain",
    }
    print(f"\n== {way} ({notes[way]})", flush=True)
    return run_child(_child(way, base, most), _show if way == "linecook" else None)


def _show(finding: Finding) -> None:
    print("\n".join(finding_lines(finding)), flush=True)


def _be_a_child(way: str, base: str, most: int, model: str) -> int:
    """Do the work one way, and tell the parent in lines of JSON."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    plan = make_plan(get_index(base)["files"], most)
    if way == "linecook":
        from desk_crew import Desk, editor

        from linecook import run

        total, pages = len(plan.entries), count(1)
        desk = Desk(base, plan, lambda finding: emit(finding=finding), lambda: emit(progress=next(pages), of=total))
        emit(result=run(editor(desk)))
    elif way in MODEL_WAYS:
        from desk_model import ask_all, questions_of

        emit(result=ask_all(way, model, questions_of(plan)))
    elif way == "the usual way":
        asyncio.run(_tell_before_the_end(base, plan))
    else:
        from desk_ways import one_after_other

        emit(result=one_after_other(base, plan))
    return 0


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
