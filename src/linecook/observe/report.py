"""The placement report: what ran where, what it cost there, and what would gain elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .._core.meter import Meter
from .advice import advise
from .table import render
from .watched import Stall

ENOUGH_SAMPLES = 20
"""Fewer samples of the probe than this, and the GIL hold is "not known"."""


@dataclass(frozen=True, slots=True)
class StallCount:
    """The stalls of one tool or agent: how many, and seconds in all."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one tool or agent. Seconds throughout; shares from 0 to 1; None is "not known".

    Attributes:
      name: the function's name.
      lane: where its bodies ran.
      calls: bodies that ended; ``failures``, ``timeouts`` and ``abandoned`` as in ``Meter``.
      wall: seconds in bodies, in all.
      mean: ``wall`` over ``calls``; None before the first.
      cpu_share: CPU time over wall time, of the calls whose CPU was measured.
      cpu: CPU seconds of all calls, extrapolated from those measured; an estimate.
      gil_share: the part of its wall time in which a body held the interpreter: the probe's estimate. None under 20
        samples. Bodies that fight for it hold it less, each, than one that runs alone.
      samples: how many samples that is.
      stalls: stalls of the event loop while it was under way.
    """

    name: str
    lane: str
    calls: int
    failures: int
    timeouts: int
    abandoned: int
    wall: float
    mean: float | None
    cpu_share: float | None
    cpu: float | None
    gil_share: float | None
    samples: int
    stalls: StallCount = field(default_factory=StallCount)

    @classmethod
    def of(cls, meter: Meter, stalls: StallCount | None = None) -> Row:
        """Read *meter*."""
        share = min(1.0, meter.cpu / meter.cpu_wall) if meter.cpu_calls and meter.cpu_wall > 0 else None
        return cls(
            name=meter.name,
            lane=meter.lane,
            calls=meter.calls,
            failures=meter.failures,
            timeouts=meter.timeouts,
            abandoned=meter.abandoned,
            wall=meter.wall,
            mean=meter.wall / meter.calls if meter.calls else None,
            cpu_share=share,
            cpu=share * meter.wall if share is not None else None,
            gil_share=min(1.0, meter.held / meter.seen) if meter.seen >= ENOUGH_SAMPLES else None,
            samples=meter.seen,
            stalls=stalls or StallCount(),
        )


class PlacementReport:
    """Rows of figures and sentences of advice; ``print(report)`` shows both, at most 100 columns wide.

    Advice stands only where measured facts support it; nothing is moved by itself. CPU and GIL figures are samples:
    they say where the time goes, not what a call costs to the microsecond.

    Attributes:
      rows: one per tool or agent that ran, most wall time first.
      advice: sentences, with figures; empty when nothing would gain, or too little is known.
      lanes: each lane's statistics, as handed in.
    """

    def __init__(
        self,
        meters: Iterable[Meter],
        lanes: Mapping[str, Mapping[str, int]] | None = None,
        *,
        stalls: Iterable[Stall] = (),
        interpreter_held: float | None = None,
    ) -> None:
        """Read the meters; they are not kept.

        Args:
          meters: those of one runtime. Functions that never ran are left out.
          lanes: what each lane's ``statistics()`` returned, by lane name.
          stalls: stalls that have ended; each is counted to the call in whose course it happened.
          interpreter_held: the part of the time in which thread bodies ran and somebody held the interpreter, 0 to 1:
            ``probe.waits / probe.looks``. Tells bodies that wait for each other from bodies that wait for the world.
        """
        stalled = _by_name(stalls)
        rows = [Row.of(meter, _stalls_of(meter.name, stalled)) for meter in meters if meter.calls or meter.seen]
        self.rows: Sequence[Row] = tuple(sorted(rows, key=lambda row: -row.wall))
        self.lanes: Mapping[str, Mapping[str, int]] = {name: dict(counts) for name, counts in (lanes or {}).items()}
        self.advice: Sequence[str] = tuple(line for row in self.rows for line in advise(row, interpreter_held))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts, lists, strings and numbers, ready for JSON."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "lanes": {name: dict(counts) for name, counts in self.lanes.items()},
            "advice": list(self.advice),
        }

    def __str__(self) -> str:
        return render(self.rows, self.lanes, self.advice)

    def __repr__(self) -> str:
        return f"<PlacementReport: {len(self.rows)} rows, {len(self.advice)} pieces of advice>"


def _by_name(stalls: Iterable[Stall]) -> dict[str, StallCount]:
    counts: dict[str, StallCount] = {}
    for stall in stalls:
        if stall.ended and stall.cause == "step" and stall.frame is not None:
            so_far = counts.get(stall.frame.name, StallCount())
            counts[stall.frame.name] = StallCount(so_far.count + 1, so_far.seconds + stall.duration)
    return counts


def _stalls_of(name: str, stalls: Mapping[str, StallCount]) -> StallCount | None:
    """A frame may go by the function's bare name, its meter by the qualified one."""
    return stalls.get(name) or stalls.get(name.rpartition(".")[2])
