"""Half an hour of bad luck: does anything grow? Exit code 1 if so, or if an answer was wrong, or anything was left.

``python benchmarks/soak/run.py [--minutes 30] [--csv FILE] [--judge FILE]``

One program in a process of its own has all kinds of trouble at once (troubles/), and is looked at once a second from
outside and inside. ``--csv`` keeps the samples; ``--judge`` only reads such a file again.

glibc's malloc is told to use two arenas. By default it makes up to eight for each core as threads come and go, and each
keeps what it once had: an hour in which memory grows, and nothing in it is anybody's. ``MALLOC_ARENA_MAX=16`` shows it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT)]  # found as benchmarks.… here and in the process that is watched

from benchmarks.soak import flat, outside  # noqa: E402

COLUMNS = (
    "seconds", "rss_mb", "child_mb", "threads", "descriptors", "processes", "tasks", "objects", "blocks", "heap_mb",
    "abandoned", "late_ms", "calls", "served", "notices",
)  # fmt: skip
SILENT = 30.0  # seconds without a line: its event loop stands
ENDING = 30.0  # seconds to end in; the hung threads must not hold it up
Sample = dict[str, float]


class Soak:
    """One run of the program, and what was seen of it."""

    def __init__(self, minutes: float, kept: Path | None) -> None:
        self.seconds = minutes * 60
        self.kept = kept
        self.samples: list[Sample] = []
        self.problems: list[str] = []

    def run(self) -> None:
        """Have it run to its end; whatever happens, nothing of it is left afterwards."""
        paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.soak.program", str(self.seconds)],
            stdout=subprocess.PIPE,
            env={"MALLOC_ARENA_MAX": "2", **os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        ) as process:
            try:
                self._watch(process)
                self._see_it_end(process)
            finally:
                for pid in outside.in_session(process.pid):
                    os.kill(pid, 9)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        wrong: list[str] = []
        with open(self.kept or os.devnull, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for told in _lines(process):
                wrong = told.pop("wrong")
                sample = told | outside.look(process.pid)
                self.samples.append(sample)
                writer.writerow(sample)
                file.flush()
                if told["seconds"] % 60 == 0:
                    _say(sample)
                if told["seconds"] >= self.seconds:
                    break
            else:
                self.problems.append(f"it said nothing for {SILENT:g} s, or died, before its time was over")
        self.problems += wrong

    def _see_it_end(self, process: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        try:
            code = process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.problems.append(f"it had not ended after {ENDING:g} s")
            return
        print(f"ended with exit code {code} after {time.monotonic() - began:.1f} s", flush=True)
        if code:
            self.problems.append(f"it ended with exit code {code}")
        time.sleep(1)  # workers end by themselves when their parent is gone
        if left := outside.in_session(process.pid):
            self.problems.append(f"{len(left)} processes were left behind")


def _lines(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what the program says, until it says nothing for too long or has ended."""
    assert process.stdout is not None
    while select.select([process.stdout], [], [], SILENT)[0]:
        line = process.stdout.readline()
        if not line:
            return
        yield json.loads(line)


def _say(sample: Sample) -> None:
    shown = ("rss_mb", "threads", "descriptors", "processes", "abandoned", "calls")
    print(f"{sample['seconds'] / 60:4.0f} min  " + "  ".join(f"{name} {sample[name]:g}" for name in shown), flush=True)


def read(file: Path) -> list[Sample]:
    """Return the samples of a CSV file; an empty cell is no figure."""
    with open(file, newline="") as lines:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(lines)]


def table(samples: Sequence[Sample]) -> tuple[list[list[str]], bool]:
    """Return the verdicts as rows of text, the heading first, and whether all is flat."""
    verdicts = flat.judge(samples)
    rows = [["after the warm-up", "at first", "at last", "growth", "allowed", ""]]
    for verdict in verdicts:
        figure = verdict.figure
        numbers = (verdict.first, verdict.last, verdict.growth, verdict.allowed)
        rows.append([
            figure.says, *(_number(each) + figure.unit for each in numbers), "flat" if verdict.is_flat else "GROWS",
        ])  # fmt: skip
    return rows, all(verdict.is_flat for verdict in verdicts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"


def main(argv: Sequence[str]) -> int:
    """Soak, or judge what was soaked; return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks/soak/run.py", description="does anything grow?")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--csv", type=Path, help="keep the samples here")
    parser.add_argument("--judge", type=Path, metavar="CSV", help="run nothing, read this")
    chosen = parser.parse_args(argv)
    soak = Soak(chosen.minutes, chosen.csv)
    if chosen.judge:
        soak.samples = read(chosen.judge)
    else:
        soak.run()
    rows, is_flat = table(soak.samples)
    for row in rows:
        print(f"{row[0]:36}" + "".join(f"{cell:>14}" for cell in row[1:]))
    for problem in soak.problems:
        print("WRONG:", problem)
    return 0 if is_flat and not soak.problems else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
