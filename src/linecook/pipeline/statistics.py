"""What the stages of a running pipeline do, in figures and in words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from .node import Node, Outlet
from .source import Source
from .stages import unbound
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
      busy: how much of its workers was used (of a process stage: of its lane's processes, where it has more workers).
      starved: share of the time in which it could have begun another item, and had none.
      blocked: share of the time in which it had one, and no room for the result.
      late: share of the time in which it had one, and an ``ordered`` result that was late held up too many behind it.
      taken: share of the time in which all of its workers were taken. What is missing to the whole: it had ended.
      may_wait: what its items may wait for while they are under way, in words; empty when the stage has nothing such.
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
    may_wait: str = ""

    @property
    def waits(self) -> float:
        """Share of the time in which its workers were all taken, and no body ran: see ``may_wait``."""
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
    told = f"wait {stage.may_wait}" if stage.may_wait else "no body runs"
    return f"its workers are all taken, and {percent(stage.waits)} of the time {told}"


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
    slots = min(station.workers, _processes(station)) if lane == "process" else station.workers
    waits = station.waited()
    return StageStatistics(
        station.name, lane, station.workers, len(station.running), len(station.inbox), station.done, station.failed,
        min(1.0, station.busy_so_far() / (seconds * slots)), min(1.0, waits["starved"] / seconds),
        min(1.0, waits["blocked"] / seconds), min(1.0, waits["late"] / seconds), min(1.0, waits[""] / seconds),
        _may_wait(station),
    )  # fmt: skip


def _processes(station: Station) -> int:
    """Return how many worker processes its bodies have, with all others of that runtime."""
    lane = station.runtime.lanes.get("process")  # None: nothing has been sent there yet
    found = (
        0 if lane is None else lane.statistics().get("processes", 0)
    )  # an explored lane has as many as there are jobs
    return found or os.cpu_count() or 1


_LANES = {
    "thread": "for a free thread, or on the way to one and back",
    "process": "for a free worker process, or on the way to one and back",
}


def _may_wait(station: Station) -> str:
    """Return what an item that is under way may wait for: only what its tool asks for, and what its lane has."""
    tool = unbound(station.stage.tool)
    asked = tool.asked
    waits = [
        "for a limit of its tool" if tool.limit is not None else "",
        "before another attempt" if asked.retry is not None else "",
        "for somebody to approve" if asked.approve is not None else "",
        "for its turn or for room after it" if station.stage.kind == "flat_map" else "",
        _LANES.get(tool.lane, ""),
    ]
    return ", or ".join(filter(None, waits))
