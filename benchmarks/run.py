"""Run linecook and its peers side by side.

``python benchmarks/run.py [ROW ...] [--rounds N] [--list] [--quick] [--write]``

What limits one side: ``python -m cProfile -s tottime -m benchmarks.harness.child ROW IMPLEMENTATION SIZE``, SIZE as the
row's own in JSON: ``'{"calls": 5000}'``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]  # found as benchmarks.… here, in the measuring processes and in the tests alike

from benchmarks.harness import page, rows, table  # noqa: E402
from benchmarks.harness.rounds import run_row  # noqa: E402
from benchmarks.harness.row import Row  # noqa: E402

RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="linecook and its peers, side by side")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure; all of them when none is named")
    parser.add_argument("--rounds", type=int, help="rounds per row (default 3; 1 with --quick)")
    parser.add_argument("--list", action="store_true", help="list the rows and what they promise")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it works, figures mean nothing")
    parser.add_argument("--write", action="store_true", help="write what was measured into benchmarks/RESULTS.md")
    chosen = parser.parse_args(argv)
    unknown = [name for name in chosen.rows if name not in rows.names()]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; there are: {', '.join(rows.names())}")
    if chosen.write and chosen.quick:
        parser.error("--write and --quick: small sizes give no figures for the page. Leave one of them out.")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error(f"--rounds {chosen.rounds}: at least 1")
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 3)
    return chosen


def versions(row: Row) -> dict[str, str]:
    """Return the versions of Python and of every package the row runs."""
    packages = dict.fromkeys(name for one in row.implementations.values() for name in one.packages)
    return {"Python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from its source" if find_spec(package) else "not installed"


def measure(name: str, *, quick: bool, rounds: int) -> table.Measured:
    """Measure one row."""
    row = rows.load(name)
    before = os.getloadavg()[0]
    series = run_row(name, row, dict(row.quick if quick else row.full), rounds, _progress)
    return table.Measured(name, row, series, before, os.getloadavg()[0], versions(row))


def _progress(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def listing() -> str:
    """Return every row with its promises."""
    lines = []
    for name in rows.names():
        row = rows.load(name)
        lines.append(f"{name}: {row.title}")
        lines += [f"    {one.title()}: must {one.must:g}, goal {one.goal:g}" for one in row.targets]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Measure and print; return 1 when a *must* was missed (never with --quick: its figures judge nothing)."""
    chosen = arguments(argv)
    if chosen.list:
        print(listing())
        return 0
    measured = []
    for name in chosen.rows or rows.names():
        measured.append(measure(name, quick=chosen.quick, rounds=chosen.rounds))
        print(table.section(measured[-1]), end="\n\n", flush=True)
        if chosen.write:
            _write(measured[-1], argv)
    missed = any(one.verdict == "missed must" for row in measured for one in row.judged())
    return int(missed and not chosen.quick)


def _write(one: table.Measured, argv: Sequence[str]) -> None:
    """Put what was measured of one row in the place of what stood there."""
    date = datetime.datetime.now(datetime.UTC).strftime("%d %B %Y, %H:%M UTC")
    parts = page.parts_of(RESULTS.read_text()) if RESULTS.exists() else {}
    parts[one.name] = page.part(one, command=" ".join(["python benchmarks/run.py", *argv]), date=date)
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores"
    RESULTS.write_text(page.page(parts, rows.names(), machine=machine))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
