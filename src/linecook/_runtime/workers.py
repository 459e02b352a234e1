"""The lanes of a runtime that have workers: threads and processes, each lane opened when first needed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .._core.events import Events
from ..lanes.base import Lane
from ..lanes.thread import ThreadLane

if TYPE_CHECKING:
    from ..lanes.process import ProcessLane


class Lanes:
    """The workers of one runtime, or of all default ones together; each lane is opened when first needed."""

    def __init__(self, events: Events, threads: dict[str, int], processes: int | None) -> None:
        self._events = events
        self._threads = threads
        self._processes = processes
        self._lock = threading.Lock()
        self.thread: ThreadLane | None = None
        self.process: ProcessLane | None = None

    def open(self, name: str) -> Lane:
        """Return the lane called *name*, opened on first use."""
        with self._lock:
            if name == "thread":
                if self.thread is None:
                    self.thread = ThreadLane(**self._threads, events=self._events)
                return self.thread
            if name == "process":
                if self.process is None:
                    from ..lanes.process import ProcessLane  # with subprocess and pickle: only who computes pays for it

                    self.process = ProcessLane(
                        processes=self._processes,
                        max_queued=self._threads.get("max_queued", 100_000),
                        events=self._events,
                    )
                return self.process
        raise ValueError(f"there is no lane {name!r}; lanes with workers are 'thread' and 'process'")

    def statistics(self) -> dict[str, dict[str, int]]:
        """Return what each open lane holds."""
        lanes = {"thread": self.thread, "process": self.process}
        return {name: dict(lane.statistics()) for name, lane in lanes.items() if lane is not None}

    def close(self, wait: float) -> None:
        """Send the workers home."""
        if self.thread is not None:
            self.thread.close(wait=wait)
        if self.process is not None:
            self.process.close(wait=wait)
