"""Whether a figure grows: the median of the slopes between all pairs of points, after the warm-up.

That median (Theil 1950, Sen 1968) isn't moved by outliers up to 29 % of the points, such as a second in which the
machine did something else. What is judged is the growth over the whole time: slope × length, against a bound that is
stated beforehand.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

Samples: TypeAlias = Sequence[Mapping[str, float]]

WARM_UP = 0.2  # of the time
BIN_S = 10.0  # seconds of samples of which the median counts


@dataclass(frozen=True, slots=True)
class Figure:
    """What must not grow.

    Attributes:
      name: its key in the samples; a sample without it says nothing of it.
      says: what it is.
      most: growth over the measured time that is no growth; ``share`` of its median, where that is more.
      unit: behind the numbers.
    """

    name: str
    says: str
    most: float
    share: float
    unit: str = ""


FIGURES = (
    Figure("rss_mb", "memory of the program", 4, 0.03, " MB"),
    Figure("child_mb", "memory of each of its processes", 3, 0.03, " MB"),
    Figure("threads", "threads", 3, 0.03),
    Figure("descriptors", "descriptors", 3, 0.03),
    Figure("processes", "processes", 0.5, 0),
    Figure("tasks", "tasks at rest", 0.5, 0),
    Figure("objects", "objects at rest", 500, 0.01),
    Figure("blocks", "blocks of Python's memory at rest", 2000, 0.01),
    Figure("heap_mb", "other memory in use at rest", 1, 0.03, " MB"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a figure: the median at first and at last (a quarter of the time each), growth, and its bound."""

    figure: Figure
    first: float
    last: float
    growth: float
    allowed: float

    @property
    def is_flat(self) -> bool:
        """Whether it did not grow."""
        return self.growth <= self.allowed


def judge(samples: Samples, figures: Sequence[Figure] = FIGURES) -> list[Verdict]:
    """Return a verdict on each figure.

    Raises:
      ValueError: there are fewer than four points after the warm-up: too few to speak of a trend.
    """
    return [_judged(points(samples, figure.name), figure) for figure in figures]


def points(samples: Samples, name: str, warm_up: float = WARM_UP, bin_s: float = BIN_S) -> list[tuple[float, float]]:
    """Return the medians of *name*, of *bin_s* seconds each, by time in seconds, after the warm-up."""
    begin = warm_up * max(sample["seconds"] for sample in samples)
    bins: dict[int, list[Mapping[str, float]]] = {}
    for sample in samples:
        if name in sample and sample["seconds"] > begin:
            bins.setdefault(int(sample["seconds"] // bin_s), []).append(sample)
    return [
        (statistics.median(each["seconds"] for each in found), statistics.median(each[name] for each in found))
        for found in bins.values()
    ]


def slope(line: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all pairs of points."""
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(line, 2))


def _judged(line: list[tuple[float, float]], figure: Figure) -> Verdict:
    if len(line) < 4:
        raise ValueError(f"{len(line)} points of {figure.name} after the warm-up are too few; soak for longer")
    values = [value for _, value in line]
    quarter = -(-len(line) // 4)
    return Verdict(
        figure,
        statistics.median(values[:quarter]),
        statistics.median(values[-quarter:]),
        slope(line) * (line[-1][0] - line[0][0]),
        max(figure.most, figure.share * statistics.median(values)),
    )
