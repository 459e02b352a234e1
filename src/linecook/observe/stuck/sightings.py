"""Since when each task waits: noted by whoever looks, since nobody else takes the time.

A wait is told by the future that the task waits for: as long as it is the same one, the task has not moved. Both are
known by their addresses only: weak references to 10,000 tasks would cost five times as much, at the look and when they
end (benchmarks: detectors). That another pair comes to the very same two addresses between two looks makes a wait look
longer than it is, and nothing else.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from typing import Any

from .posts import waiter_of


class Sightings:
    """Remembers which future each task was seen to wait for, and since when (``time.monotonic()``)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[int, float]] = {}

    def look(self, tasks: Iterable[asyncio.Task[Any]]) -> list[tuple[asyncio.Task[Any], float]]:
        """Note what *tasks* wait for; return those that wait, each with since when."""
        now = time.monotonic()
        found: list[tuple[asyncio.Task[Any], float]] = []
        with self._lock:
            before, seen = self._seen, dict[int, tuple[int, float]]()
            for task in tasks:
                waiter = getattr(task, "_fut_waiter", None)
                if waiter is None or waiter.done():
                    continue
                known = before.get(id(task))
                if known is None or known[0] != id(waiter):
                    known = (id(waiter), now)
                seen[id(task)] = known
                found.append((task, known[1]))
            if len(before) < 2 * len(seen) + 1000:  # others look at others' tasks; what is gone goes in time
                self._seen = before | seen
            else:
                self._seen = seen
        return found

    def since(self, task: asyncio.Task[Any]) -> float:
        """Return for how many seconds *task* has been seen to wait for what it waits for now; 0.0: it is new."""
        with self._lock:
            known = self._seen.get(id(task))
        if known is None or known[0] != id(waiter_of(task)):
            return 0.0
        return max(0.0, time.monotonic() - known[1])


SIGHTINGS = Sightings()
"""The one of this process."""


def all_tasks() -> list[asyncio.Task[Any]]:
    """Return the tasks of every event loop of this process, those that are done and still held included.

    From any thread. asyncio keeps them in weak sets, which change while they are read: some tries are worth it.
    """
    found: list[asyncio.Task[Any]] = []
    for name in ("_scheduled_tasks", "_eager_tasks") if "_scheduled_tasks" in vars(asyncio.tasks) else ("_all_tasks",):
        known: Any = vars(asyncio.tasks).get(name, ())
        for _ in range(1000):
            try:
                found += list(known)
            except RuntimeError:
                continue
            break
    return found
