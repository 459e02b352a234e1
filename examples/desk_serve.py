"""`desk.py --serve`: the crew alone, findings on the terminal and on a page in the browser, until Ctrl-C."""

from __future__ import annotations

import argparse
import logging
from contextlib import closing

from desk_ledger import Progress
from desk_page import Door, page
from desk_plan import Plan, Result, make_plan
from desk_report import first_lines, killed_lines, lost_lines, lost_the_planted_only
from desk_talk import Desk
from desk_terminal import Terminal
from desk_work import work
from source_client import get_index, running_server

from linecook import run

__all__ = ["serve"]


def serve(asked: argparse.Namespace) -> int:
    """Run until Ctrl-C; 0 when the work was done by then and only the planted pages are lost, else 130."""
    with running_server(asked.folders) as base, closing(Door(asked.serve)) as door:
        index = get_index(base)
        plan = make_plan(index["files"], asked.files)
        print("\n".join([*first_lines(index["roots"], plan), f"\nsee it in the browser: {door.address}\n"]), flush=True)
        desk = _desk(base, plan, asked)
        try:
            run(work(desk, page(desk, door)))
        except KeyboardInterrupt as stopped:  # how it ends: the page stays until then
            result: Result | None = getattr(stopped, "result", None)
            return 0 if result is not None and lost_the_planted_only(result, plan) else 130
    return 1


def _desk(base: str, plan: Plan, asked: argparse.Namespace) -> Desk:
    terminal = Terminal()
    # The team says so in the log when it starts an agent anew. Here that is every second, on purpose, and counted.
    terminal.addFilter(lambda record: "is started anew" not in record.getMessage())
    logging.getLogger("linecook").addHandler(terminal)

    def tick(now: Progress) -> None:
        terminal.tick(now.read + now.lost, now.of, now.killed)

    def finish(result: Result) -> None:
        terminal.end()
        print("\n".join(lost_lines(result, plan)))
        print(f"\n{len(result.findings):,} findings in {len(result.read):,} pages, {result.wall:.1f} s")
        print(killed_lines(result, asked.kill_reviewers))
        print("the page stays open until Ctrl-C", flush=True)

    return Desk(base, plan, terminal.show, tick, finish, within=asked.within, kill_every=asked.kill_reviewers)
