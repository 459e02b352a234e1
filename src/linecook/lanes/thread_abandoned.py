"""How bodies that were given up, and run on, are told: as rows for who asks, as events when they go and come back."""

from __future__ import annotations

import time
from collections.abc import Mapping

from .._core.events import Events
from .base import Job
from .crew import Worker


def rows_of(abandoned: Mapping[Worker, Job]) -> list[tuple[str, float, str, str]]:
    """Return for each its label, seconds running, thread name, and current line of the user's code."""
    now = time.monotonic()
    return [
        (job.label, now - (job.started_at or now), worker.thread.name, worker.line) for worker, job in abandoned.items()
    ]


def tell_abandoned(events: Events | None, job: Job, worker: Worker) -> None:
    """Emit ``lane.abandoned``, if anybody listens: *worker* is lost to *job*'s body."""
    if events is not None and events.heard:
        events.emit("lane.abandoned", job.frame, lane="thread", label=job.label, thread=worker.thread.name)


def tell_returned(events: Events | None, job: Job, worker: Worker) -> None:
    """Emit ``lane.returned``, if anybody listens: the body has ended after all."""
    if events is not None and events.heard:
        ran = job.ended_at - job.started_at
        events.emit("lane.returned", job.frame, lane="thread", label=job.label, thread=worker.thread.name, ran=ran)
