"""A row of the table: a workload, the ways to run it, and what linecook promises there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.harness.meter import Meter

Kind = Literal["linecook", "stdlib", "peer", "limit"]
Body = Callable[..., None]
Check = Callable[..., str | None]


@dataclass(frozen=True, slots=True)
class Target:
    """What one figure of linecook has to be.

    Args:
      metric: a name from the measurement: ``rate``, ``wall_s``, or one the row reports itself.
      must, goal: the two bars, in the unit of the metric, or as a ratio when *over* is given.
      over: the implementation to divide by, round by round; ``None`` judges the figure itself.
      of: the linecook implementation that is judged.
      at_most: smaller is better.
      says: the words for the table; empty: made from the rest.
    """

    metric: str
    must: float
    goal: float
    over: str | None = None
    of: str = "linecook"
    at_most: bool = False
    says: str = ""

    def title(self) -> str:
        """Return the words for the table."""
        return self.says or (f"{self.metric} × {self.over}" if self.over else self.metric)

    def reached(self, value: float, bar: float) -> bool:
        """Say whether *value* is on the right side of *bar*; exactly on it counts."""
        return value <= bar if self.at_most else value >= bar


@dataclass(frozen=True, slots=True)
class Implementation:
    """One way to run the workload: ``body(meter, **size)``, in a process of its own."""

    name: str
    kind: Kind
    body: Body
    packages: tuple[str, ...]


@dataclass(slots=True)
class Row:
    """A workload and everything that runs it.

    Args:
      title: one line, as a reader would name the workload.
      base: the implementation the ``× base`` columns divide by.
      full, quick: keyword arguments of every implementation; quick shows that it works and nothing else.
      unit: what a rate counts; empty: the row has no rate.
      units: how many of them such a size holds.
      columns: metrics to print, beside the rate and the ratios.
      time_limit: seconds one measurement may take before it counts as hung.
      losing: plain words on what limits us here, printed when a bar is missed or a peer is faster.
    """

    title: str
    base: str
    full: Mapping[str, Any]
    quick: Mapping[str, Any]
    targets: tuple[Target, ...]
    unit: str = ""
    units: Callable[[Mapping[str, Any]], int] | None = None
    columns: tuple[str, ...] = ()
    time_limit: float = 60.0
    losing: str = ""
    implementations: dict[str, Implementation] = field(default_factory=dict)
    check: Check | None = None

    def _add(self, kind: Kind, packages: tuple[str, ...]) -> Callable[[Body], Body]:
        def add(body: Body) -> Body:
            self.implementations[body.__name__] = Implementation(body.__name__, kind, body, packages)
            return body

        return add

    def linecook(self, body: Body) -> Body:
        """Add our side: what a user would write."""
        return self._add("linecook", ("linecook",))(body)

    def stdlib(self, body: Body) -> Body:
        """Add what a user writes with the standard library (or a bare HTTP client)."""
        return self._add("stdlib", ())(body)

    def limit(self, body: Body) -> Body:
        """Add a bound: what the machine gives when nothing stands in between."""
        return self._add("limit", ())(body)

    def peer(self, *packages: str) -> Callable[[Body], Body]:
        """Add another library; where *packages* aren't installed, its line of the table says so."""
        return self._add("peer", packages)

    def verify(self, check: Check) -> Check:
        """Set the workload's own check: ``check(answers, **size)`` returns what is wrong, or ``None``."""
        self.check = check
        return check

    def run(self, name: str, size: Mapping[str, Any], meter: Meter) -> None:
        """Run one implementation here and now; *meter* holds its figures once it has answered."""
        check = self.check
        assert check is not None, f"row {self.title!r} verifies nothing"
        units = self.units(size) if self.units else 0
        meter.begin(units=units, check=lambda answers: check(answers, **size))
        self.implementations[name].body(meter, **size)
