"""Medians, ratios and verdicts."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.harness.rounds import Series
from benchmarks.harness.row import Row, Target

Verdict = Literal["met", "missed goal", "missed must", "not measured"]


def median(series: Series, metric: str) -> float | None:
    """Return the median over the rounds, or ``None`` if any round lacks it: half a series is no figure."""
    values = [figures.get(metric) if figures else None for figures in series.rounds]
    known = [value for value in values if value is not None]
    return statistics.median(known) if known and len(known) == len(values) else None


def ratio(ours: Series, base: Series, metric: str) -> float | None:
    """Return the median of the ratios round by round: what slowed a whole round down cancels out."""
    pairs = zip(ours.rounds, base.rounds, strict=True)
    ratios = [a[metric] / b[metric] for a, b in pairs if a and b and metric in a and b.get(metric)]
    return statistics.median(ratios) if ratios else None


@dataclass(frozen=True, slots=True)
class Judged:
    """One target, what was measured for it, and the verdict."""

    target: Target
    value: float | None
    verdict: Verdict


def judge(row: Row, series: Mapping[str, Series]) -> list[Judged]:
    """Hold every target of the row against what was measured, in the order of the row."""
    return [_judge(target, series) for target in row.targets]


def _judge(target: Target, series: Mapping[str, Series]) -> Judged:
    ours = series[target.of]
    base = series[target.over] if target.over else None
    value = ratio(ours, base, target.metric) if base else median(ours, target.metric)
    if value is None:
        # Ours that didn't answer, or never ended, missed it; a base that didn't leaves nothing to say.
        lost = bool(ours.problem) or target.over is None
        return Judged(target, None, "missed must" if lost else "not measured")
    if not target.reached(value, target.must):
        return Judged(target, value, "missed must")
    return Judged(target, value, "met" if target.reached(value, target.goal) else "missed goal")


def faster_peers(row: Row, series: Mapping[str, Series]) -> dict[str, float]:
    """Return the standard-library and peer sides that beat our best side, with their rate over ours."""
    ours = [one for one in row.implementations.values() if one.kind == "linecook"]
    others = [one for one in row.implementations.values() if one.kind in ("stdlib", "peer")]
    found: dict[str, float] = {}
    for other in others:
        ratios = [r for one in ours if (r := ratio(series[other.name], series[one.name], "rate")) is not None]
        if ratios and min(ratios) > 1.0:
            found[other.name] = min(ratios)
    return found
