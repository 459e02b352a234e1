"""``workers="auto"``: such stages of a pipeline share their workers, which go where the time is spent.

By Little's law a stage that is to pass as many items a second as the others needs workers in proportion to the seconds
that an item takes in it. So that is all that is measured; the shares are looked at again every ``PERIOD``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._core.timers import Timer, timers_of

if TYPE_CHECKING:
    from .line import Line
    from .station import Station

PERIOD = 0.02
"""Seconds between two looks."""

WEIGHT = 0.5
"""Of the latest period, against all before: a cost that moves is followed within a few periods."""


class Sharing:
    """The stages that share, and how long an item takes in each.

    Args:
      line: whose stages; nothing is looked at any more when it has ended.
      stations: two or more of them; together they have as many workers as they began with.
    """

    def __init__(self, line: Line, stations: Sequence[Station]) -> None:
        self._line = line
        self._stations = stations
        self._total = sum(station.workers for station in stations)
        self._seconds = [0.0] * len(stations)  # an item takes; 0.0: nobody knows yet
        self._before = [(0.0, 0)] * len(stations)  # busy seconds and items, at the latest look
        self._sampled = [0.0] * len(stations)
        self._timer: Timer | None = None

    def start(self) -> None:
        """Look from now on."""
        loop = self._line.loop
        self._timer = timers_of(loop).at(loop.time() + PERIOD, Sharing._look, self)
        self._line.on_end(self._timer.cancel)

    def _look(self) -> None:
        if not self._line.is_running:
            return
        for place, station in enumerate(self._stations):
            self._measure(place, station)
        if all(self._seconds):
            for station, workers in zip(self._stations, shares(self._seconds, self._total), strict=True):
                station.set_workers(workers)
        self.start()

    def _measure(self, place: int, station: Station) -> None:
        if station.stage.tool.lane == "loop":  # bodies there wait on the loop's clock, which may be virtual
            self._sampled[place] += PERIOD * len(station.running)
            busy = self._sampled[place]
        else:  # without the time in which they wait for a thread or process
            busy = station.busy_so_far()
        count = station.done + station.failed
        busy_before, count_before = self._before[place]
        if count > count_before:  # else it is counted with the next period
            each = max((busy - busy_before) / (count - count_before), 1e-6)
            known = self._seconds[place]
            self._seconds[place] = each if not known else known + WEIGHT * (each - known)
            self._before[place] = busy, count


def shares(seconds: Sequence[float], total: int) -> list[int]:
    """Return whole shares of *total* in proportion to *seconds*, each at least 1; their sum is *total*."""
    whole = sum(seconds)
    exact = [max(1.0, total * one / whole) for one in seconds]
    scale = (total - len(exact)) / max(sum(exact) - len(exact), 1e-9)
    exact = [1 + (one - 1) * min(scale, 1.0) for one in exact]
    found = [int(one) for one in exact]
    by_rest = sorted(range(len(exact)), key=lambda place: found[place] - exact[place])
    for place in by_rest[: max(0, total - sum(found))]:
        found[place] += 1
    return found
