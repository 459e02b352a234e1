"""What it takes to find out that everything is done already."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.rows.run_lines import AGENT, run_in

row = Row(
    title="the same command again, 1,000,000 lines done: each is found in the output and skipped",
    base="by_hand",
    unit="lines",
    full={"lines": 1_000_000},
    quick={"lines": 5_000},
    units=lambda size: size["lines"],
    targets=(
        Target("wall_s", 5, 2, of="linecook_run", at_most=True, says="seconds, the start of Python included"),
        Target("rss_mb", 150, 80, of="linecook_run", at_most=True, says="peak RSS, MB"),
    ),
    columns=("wall_s", "cpu_s", "rss_mb"),
    time_limit=120.0,
)

# What one writes on an afternoon: a set of what is done. It doesn't see that an input has changed.
BY_HAND = """
import json, sys

with open("out.jsonl") as out:
    done = {record["line"] for record in map(json.loads, out) if record["outcome"] == "ok"}
with open("in.jsonl") as file:
    rest = [line for number, line in enumerate(file, 1) if number not in done]
assert not rest
"""
RECORD = (
    '{"line":%d,"input":"%016x","outcome":"ok","value":%d,"work":"finished",'
    '"queued":0.000000,"running":0.000012,"attempts":1,"lane":"loop","function":"agent:empty"}\n'
)


@row.verify
def check(left: tuple[int, int], lines: int) -> str | None:
    """All lines were taken for done: no outcome was added to those there were."""
    records, added_bytes = left
    return None if (records, added_bytes) == (lines, 0) else f"{records} of {lines} records, {added_bytes} bytes added"


def measure(meter: Meter, command: list[str], lines: int) -> None:
    """Make the output of a whole run, then run *command*, which finds nothing to do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "agent.py").write_text(AGENT)
        (folder / "by_hand.py").write_text(BY_HAND)
        prepare(folder / "before.jsonl", lines)
        size = (folder / "before.jsonl").stat().st_size
        wall, cpu, rss_mb = run_in(folder, command, lines, before=folder / "before.jsonl")
        meter.note(wall_s=wall, cpu_s=cpu, rss_mb=rss_mb)
        text = (folder / "out.jsonl").read_bytes()
    assert json.loads(text[:200].partition(b"\n")[0])["line"] == 1
    meter.answer((text.count(b"\n"), len(text) - size))


def prepare(path: Path, lines: int) -> None:
    """Write the outcomes of *lines* lines as ``linecook run`` writes them."""
    from linecook.cli.reading.item import digest_of

    with path.open("w") as out:
        out.writelines(RECORD % (n, digest_of(b'{"n": %d}' % n), n) for n in range(1, lines + 1))


@row.linecook
def linecook_run(meter: Meter, lines: int) -> None:
    words = ["agent.py:empty", "--input", "in.jsonl", "--output", "out.jsonl", "--show", "none"]
    measure(meter, ["-m", "linecook", "run", *words], lines)


@row.stdlib
def by_hand(meter: Meter, lines: int) -> None:
    measure(meter, ["by_hand.py"], lines)
