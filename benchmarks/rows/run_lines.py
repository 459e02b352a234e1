"""What ``linecook run`` does in a second when the agent does nothing: reading, checking, running, writing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="100,000 lines through an agent that does nothing, each outcome written",
    base="by_hand",
    unit="lines",
    full={"lines": 100_000},
    quick={"lines": 2_000},
    units=lambda size: size["lines"],
    targets=(
        Target("rate", 30_000, 60_000, of="linecook_run", says="lines/s, the start of Python included"),
        Target("more_mb", 20, 5, of="linecook_run", at_most=True, says="peak RSS, MB more than for 2,000 lines"),
    ),
    columns=("wall_s", "cpu_s", "rss_mb", "more_mb"),
    time_limit=60.0,
    losing="Each line has a task and a context of its own, a hash, and its times; by hand it has none of them.",
)

FEW = 2_000
NO_FILES: Mapping[str, str] = {}
AGENT = "async def empty(n: int) -> int:\n    return n\n"

# What one writes on an afternoon: 64 workers over one iterator, a line of JSON out for each line in. No time-out, no
# exit code, no resuming, and a line that can't be read ends it.
BY_HAND = """
import asyncio, json, sys
from agent import empty

async def worker(lines, out):
    for number, line in lines:
        try:
            told = {"line": number, "outcome": "ok", "value": await empty(**json.loads(line))}
        except Exception as error:
            told = {"line": number, "outcome": "failed", "error": str(error)}
        out.write(json.dumps(told) + "\\n")

async def main(source, target):
    with open(source) as file, open(target, "w") as out:
        lines = enumerate(file, 1)
        await asyncio.gather(*(worker(lines, out) for _ in range(64)))

asyncio.run(main(*sys.argv[1:]))
"""


@row.verify
def check(values: list[tuple[int, int]], lines: int) -> str | None:
    """One outcome for each line, with its own number."""
    wanted = [(n, n) for n in range(1, lines + 1)]
    return None if sorted(values) == wanted else f"{len(values)} outcomes of {lines}, or not each line's own"


def run_in(folder: Path, command: list[str], lines: int, before: Path | None = None) -> tuple[float, float, float]:
    """Run *command* over so many lines; return wall seconds, CPU seconds and peak memory in MB.

    Args:
      before: becomes the output that the command finds; None leaves none.
    """
    with (folder / "in.jsonl").open("w") as file:  # never as a whole: a child's peak memory begins with its parent's
        file.writelines(f'{{"n": {n}}}\n' for n in range(1, lines + 1))
    (folder / "out.jsonl").unlink(missing_ok=True)
    if before is not None:
        before.rename(folder / "out.jsonl")
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=folder, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(meter: Meter, command: list[str], lines: int, files: Mapping[str, str] = NO_FILES) -> None:
    """Run *command* over few lines, then over all of them; *files* stand in its folder, text by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "agent.py").write_text(AGENT)
        (folder / "by_hand.py").write_text(BY_HAND)
        for other, text in files.items():
            (folder / other).write_text(text)
        _, _, few_mb = run_in(folder, command, min(FEW, lines))
        wall, cpu, rss_mb = run_in(folder, command, lines)
        meter.note(wall_s=wall, cpu_s=cpu, rss_mb=rss_mb, more_mb=rss_mb - few_mb)
        with (folder / "out.jsonl").open() as out:  # line by line: a million records at once are a gigabyte
            values = [(record["line"], record["value"]) for record in map(json.loads, out)]
    meter.answer(values)


@row.linecook
def linecook_run(meter: Meter, lines: int) -> None:
    words = ["agent.py:empty", "--input", "in.jsonl", "--output", "out.jsonl", "--show", "none"]
    measure(meter, ["-m", "linecook", "run", *words], lines)


@row.stdlib
def by_hand(meter: Meter, lines: int) -> None:
    measure(meter, ["by_hand.py", "in.jsonl", "out.jsonl"], lines)
