"""What the stages of a running pipeline do, in figures and in words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from .node import Node, Outlet
from .source import Source
from .station import Station


@dataclass(frozen=True, slots=True)
class StageStatistics:
    """One stage so far; shares are of the time since the run began, 0..1.

    Attributes:
      name: such as ``"map(fetch)"``.
      lane: where its bodies run.
      workers: most items under way.
      running: items under way.
      waiting: items in the buffer before it.
      done: items that went on, or were filtered out.
      failed: items that failed.
      busy: how much of its workers was used (of a process stage: of the CPUs, where it has more workers than those).
      starved: share of the time in which it could have begun another item, and had none.
      blocked: share of the time in which it had one, and no room for the result.
      late: share of the time in which it had one, and an ``ordered`` result that was late held up too many behind it.
      taken: share of the time in which all of its workers were taken. What is missing to the whole: it had ended.
    """

    name: str
    lane: str
    workers: int
    running: int
    waiting: int
    done: int
    failed: int
    busy: float
    starved: float
    blocked: float
    late: float = 0.0
    taken: float = 0.0

    @property
    def waits(self) -> float:
        """Share of the time in which its workers were all taken, and no body ran: they waited for a limit or a lane."""
        return max(0.0, self.taken - self.busy)

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.done:,} done, {self.running} under way, {self.waiting} waiting; {percent(self.busy)} "
            f"busy, {percent(self.starved)} of the time starved, {percent(self.blocked)} blocked"
        )


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """A run so far.

    Attributes:
      read: items read from the source.
      out: items that came out at the end.
      dead: items that were set aside.
      seconds: since the run began, until it ended.
      stages: in their order; ``batch`` and ``group`` run nothing and have none.
    """

    read: int
    out: int
    dead: int
    seconds: float
    stages: tuple[StageStatistics, ...]

    @property
    def bottleneck(self) -> StageStatistics | None:
        """The stage that the others wait for: busy, or with all workers taken, or held up by a late result.

        None when no stage is that for half of the time: then it's the source, or the reader.
        """
        slowest = max(self.stages, key=lambda stage: (_held(stage) - stage.blocked, stage.busy), default=None)
        return slowest if slowest is not None and _held(slowest) >= 0.5 else None

    def in_words(self) -> str:
        """Return one sentence: who is the bottleneck, why, and what that does to the others."""
        slow = self.bottleneck
        if slow is None:
            blocked = [stage for stage in self.stages if stage.blocked >= 0.5]
            who = "whoever reads the results" if blocked and blocked[-1] is self.stages[-1] else "the source"
            return f"no stage is half busy: {who} sets the pace"
        if slow.busy < max(slow.waits, slow.late):
            return f"the stage {slow.name} is the bottleneck: {_why_held(slow)}"
        upstream = self.stages[: self.stages.index(slow)]
        held = max((stage.blocked for stage in upstream), default=0.0)
        told = f", upstream blocked {percent(held)} of the time" if upstream else ""
        return f"the stage {slow.name} on lane {slow.lane} is the bottleneck: {percent(slow.busy)} busy{told}"

    def __str__(self) -> str:
        lines = [
            f"{self.read:,} read, {self.out:,} out, {self.dead:,} set aside in {self.seconds:.1f} s",
            self.in_words(),
        ]
        return "\n".join([*lines, *map(str, self.stages)])


def _held(stage: StageStatistics) -> float:
    return max(stage.busy, stage.taken, stage.late)


def _why_held(stage: StageStatistics) -> str:
    if stage.late > stage.waits:
        return f"{percent(stage.late)} of the time results wait for a slow one before them, for it is ordered"
    place = f", or for a place on lane {stage.lane}" if stage.lane in ("thread", "process") else ""
    return f"its workers are all taken, and {percent(stage.waits)} of the time wait for a limit of its tool{place}"


def percent(share: float) -> str:
    """Return *share*, 0..1, as ``97 %``."""
    return f"{100 * share:.0f} %"


def statistics_of(nodes: Sequence[Node], seconds: float, dead: int) -> PipelineStatistics:
    """Return what *nodes* did in *seconds*."""
    source, outlet = nodes[0], nodes[-1]
    assert isinstance(source, Source)
    assert isinstance(outlet, Outlet)
    stages = tuple(_of_station(node, max(seconds, 1e-9)) for node in nodes if isinstance(node, Station))
    return PipelineStatistics(source.count, outlet.count, dead, seconds, stages)


def _of_station(station: Station, seconds: float) -> StageStatistics:
    lane = station.stage.tool.lane
    slots = min(station.workers, os.cpu_count() or 1) if lane == "process" else station.workers
    waits = station.waited()
    return StageStatistics(
        station.name, lane, station.workers, len(station.running), len(station.inbox), station.done, station.failed,
        min(1.0, station.busy_so_far() / (seconds * slots)), min(1.0, waits["starved"] / seconds),
        min(1.0, waits["blocked"] / seconds), min(1.0, waits["late"] / seconds), min(1.0, waits[""] / seconds),
    )  # fmt: skip
