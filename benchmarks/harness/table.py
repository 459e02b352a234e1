"""Writes what was measured as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.harness.judge import Judged, faster_peers, judge, median, ratio
from benchmarks.harness.rounds import Series
from benchmarks.harness.row import Row

METHOD = """\
One fresh process per measurement, one warm-up, answers verified, rounds interleaved (A B C, then C B A), medians. `×`
is the median of the ratios round by round; `CPU ×` the same for work per CPU second of the main process. Loop lag is
how late a callback due every 2 ms ran. Judge the ratios, not the absolute rates."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One row, measured: its series, and the machine's load (one-minute average) before and after."""

    name: str
    row: Row
    series: Mapping[str, Series]
    load_before: float
    load_after: float
    versions: Mapping[str, str]

    def judged(self) -> list[Judged]:
        """Return the verdicts, in the order of the row's targets."""
        return judge(self.row, self.series)


def number(value: float | None) -> str:
    """Write a figure with three digits that count; ``None`` is a dash."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def implementations(one: Measured) -> str:
    """Return the table of all sides; one that failed says why."""
    row, base = one.row, one.series[one.row.base]
    rated = bool(row.units)
    header = ["implementation", "kind"]
    header += [f"{row.unit} /s", "× " + row.base, "CPU × " + row.base] if rated else []
    lines = [_line(one, name, base, rated) for name in row.implementations]
    return markdown([*header, *row.columns], lines)


def _line(one: Measured, name: str, base: Series, rated: bool) -> list[str]:
    series, kind = one.series[name], one.row.implementations[name].kind
    start = [name, kind]
    if series.problem:
        return [*start, "failed: " + series.problem.replace("|", "\\|"), *[""] * (len(one.row.columns) + 3 * rated - 1)]
    if rated:
        # CPU as work per CPU second, so that more is better in both columns.
        cpu = ratio(base, series, "cpu_us")
        start += [number(median(series, "rate")), number(ratio(series, base, "rate")), number(cpu)]
    return start + [number(median(series, column)) for column in one.row.columns]


def verdict_lines(one: Measured) -> list[list[str]]:
    """Return the cells of one line for each target: what, must, goal, measured, verdict."""
    lines = []
    for judged in one.judged():
        target = judged.target
        sign = "≤" if target.at_most else "≥"
        bars = [f"{sign} {number(target.must)}", f"{sign} {number(target.goal)}"]
        lines.append([target.title(), *bars, number(judged.value), judged.verdict])
    return lines


def losses(one: Measured) -> list[str]:
    """Return plain words on every bar missed and every peer that is faster, none when there is nothing to say."""
    words = []
    for judged in one.judged():
        if judged.verdict in ("missed must", "missed goal"):
            bar = judged.target.must if judged.verdict == "missed must" else judged.target.goal
            measured = number(judged.value) if judged.value is not None else "no figure"
            words.append(f"{one.name}: {judged.verdict}: {judged.target.title()} is {measured}, asked {number(bar)}.")
    for name, times in faster_peers(one.row, one.series).items():
        words.append(f"{one.name}: {name} does {times:.2f} × our rate.")
    if words and one.row.losing:
        words.append(f"{one.name}: {one.row.losing}")
    return words


def section(one: Measured) -> str:
    """Return everything about one row."""
    rounds = len(next(iter(one.series.values())).rounds)
    versions = ", ".join(f"{name} {version}" for name, version in one.versions.items())
    return "\n\n".join(
        [
            f"## {one.name}: {one.row.title}",
            implementations(one),
            markdown(["what", "must", "goal", "measured", "verdict"], verdict_lines(one)),
            f"{versions}; rounds: {rounds}; load before {one.load_before:.2f}, after {one.load_after:.2f}.",
        ]
    )
