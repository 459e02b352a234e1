"""The placement report as text, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .report import Row

WIDTH = 100
_HEADS = ("lane", "calls", "failed", "late", "left", "wall", "mean", "CPU", "GIL hold")


def render(rows: Sequence[Row], lanes: Mapping[str, Mapping[str, int]], advice: Sequence[str]) -> str:
    """Return the table, its legend, the lanes and the advice; one line saying so where nothing ran."""
    if not rows:
        return "placement: nothing has run yet"
    parts = [_table(rows), _LEGEND]
    parts += [_wrapped(f"{name}: {_counts(counts)}") for name, counts in lanes.items() if counts]
    parts += ["", "what would gain where" if advice else "nothing would gain elsewhere, as far as is known"]
    parts += [_wrapped(line, "- ") for line in advice]
    return "\n".join(parts)


_LEGEND = (
    "late: given up at a deadline; left: of those, run on unseen; CPU: share of the wall time, sampled;\n"
    "GIL hold: share of the wall time holding the interpreter, estimated from n looks"
)


def _table(rows: Sequence[Row]) -> str:
    lines = [("", *_HEADS), *(_cells(row) for row in rows)]
    widths = [max(len(cells[i]) for cells in lines) for i in range(len(lines[0]))]
    widths[0] = min(widths[0], max(8, WIDTH - sum(widths[1:]) - 2 * len(_HEADS)))  # the name makes room for figures
    return "\n".join(_line(cells, widths) for cells in lines)


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    name, lane, *figures = cells
    if len(name) > widths[0]:
        name = "…" + name[1 - widths[0] :]  # the end of a qualified name tells more than its beginning
    left = (name.ljust(widths[0]), lane.ljust(widths[1]))
    right = (figure.rjust(width) for figure, width in zip(figures, widths[2:], strict=True))
    return "  ".join((*left, *right)).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.lane,
        _count(row.calls),
        _count(row.failures),
        _count(row.timeouts),
        _count(row.abandoned),
        seconds(row.wall),
        "-" if row.mean is None else seconds(row.mean),
        "not known" if row.cpu_share is None else f"{row.cpu_share:.0%}",
        "not known" if row.gil_share is None else f"{row.gil_share:.0%} (n={_count(row.samples)})",
    )


def seconds(value: float) -> str:
    """Return *value* seconds in the unit that suits: ``412 ms``, ``3.2 s``, ``1 h 05 min``."""
    if value >= 3600:
        return f"{value // 3600:.0f} h {value % 3600 // 60:02.0f} min"
    if value >= 1:
        return f"{value:.1f} s"
    if value >= 1e-3:
        return f"{value * 1e3:.0f} ms" if value >= 0.01 else f"{value * 1e3:.1f} ms"
    return f"{value * 1e6:.0f} µs" if value >= 1e-6 else f"{value * 1e9:.0f} ns"


def _count(number: int) -> str:
    return str(number) if number < 100_000 else f"{number / 1e6:.1f}M" if number >= 1_000_000 else f"{number // 1000}k"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in counts.items())


def _wrapped(text: str, bullet: str = "") -> str:
    indent = " " * (len(bullet) or 2)
    return textwrap.fill(text, WIDTH, initial_indent=bullet, subsequent_indent=indent, break_long_words=True)
