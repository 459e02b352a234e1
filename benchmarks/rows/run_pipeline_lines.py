"""What ``linecook run`` does with a million lines when its target is a pipeline of two stages that do nothing."""

from __future__ import annotations

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.rows import run_lines

row = Row(
    title="1,000,000 lines through a pipeline of two stages that do nothing, each outcome written",
    base="by_hand",
    unit="lines",
    full={"lines": 1_000_000},
    quick={"lines": 2_000},
    units=lambda size: size["lines"],
    targets=(
        Target("rate", 30_000, 60_000, of="linecook_run", says="lines/s, the start of Python included"),
        Target("more_mb", 20, 5, of="linecook_run", at_most=True, says="peak RSS, MB more than for 2,000 lines"),
    ),
    columns=("wall_s", "cpu_s", "rss_mb", "more_mb"),
    time_limit=180.0,
    losing=(
        "By hand a line waits in no stage: one worker takes it through. Ours has a task and a context in each stage, a "
        "place among the outcomes by input, a hash, and its times."
    ),
)

PIPELINE = """
from linecook import Pipeline, pipeline

async def same(line):
    return line

async def number(line):
    return line["n"]

def build(lines) -> Pipeline[int]:
    return pipeline(lines).map(same).map(number)
"""


@row.verify
def check(values: list[tuple[int, int]], lines: int) -> str | None:
    """One outcome for each line, with its own number."""
    return run_lines.check(values, lines)


@row.linecook
def linecook_run(meter: Meter, lines: int) -> None:
    words = ["stages.py:build", "--input", "in.jsonl", "--output", "out.jsonl", "--show", "none"]
    run_lines.measure(meter, ["-m", "linecook", "run", *words], lines, {"stages.py": PIPELINE})


@row.stdlib
def by_hand(meter: Meter, lines: int) -> None:
    run_lines.measure(meter, ["by_hand.py", "in.jsonl", "out.jsonl"], lines)
