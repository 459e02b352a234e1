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


class Sightings:
    """Remembers which future each task was seen to wait for, and since when (``time.monotonic()``).

    A wait gets a time of its own when it is seen for the second time: most are over by then, and cost a place in a
    dictionary only (benchmarks: detectors, 10,000 agents whose tools wait).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[int, int] = {}  # of all tasks that waited when last looked at: their futures
        self._seen_at = 0.0
        self._since: dict[tuple[int, int], float] = {}  # of those that have waited for the same twice

    def look(self, tasks: Iterable[asyncio.Task[Any]]) -> list[tuple[asyncio.Task[Any], float]]:
        """Note what *tasks* wait for; return those that wait, each with since when."""
        known = list(tasks)
        now = time.monotonic()
        since = self._note(known, now)
        return [
            (task, since.get((id(task), id(waiter)), now))
            for task in known
            if (waiter := getattr(task, "_fut_waiter", None)) is not None and not waiter.done()
        ]

    def long(self, tasks: list[asyncio.Task[Any]], seconds: float) -> dict[asyncio.Task[Any], float]:
        """Note what *tasks* wait for; return those that have been seen to wait for *seconds*, each with since when."""
        now = time.monotonic()
        since = {pair[0]: at for pair, at in self._note(tasks, now).items() if at <= now - seconds}
        if not since:
            return {}
        return {task: since[id(task)] for task in tasks if id(task) in since and waiter_of(task) is not None}

    def _note(self, tasks: list[asyncio.Task[Any]], now: float) -> dict[tuple[int, int], float]:
        """Return since when those of *tasks* have waited that were seen before to wait for the same."""
        waits = {id(task): id(waiter) for task in tasks if (waiter := getattr(task, "_fut_waiter", None)) is not None}
        with self._lock:
            before, before_at, known = self._seen, self._seen_at, self._since
            since = {pair: known.get(pair, before_at) for pair in waits.items() & before.items()}
            if len(before) < 2 * len(waits) + 1000:  # others look at others' tasks; what is gone goes in time
                self._seen = before | waits
                others = {pair: at for pair, at in known.items() if pair[0] not in waits}
                self._since = others | since
            else:
                self._seen, self._since = waits, since
            self._seen_at = now
        return since

    def since(self, task: asyncio.Task[Any]) -> float:
        """Return for how many seconds *task* has been seen to wait for what it waits for now; 0.0: it is new."""
        pair = (id(task), id(waiter_of(task)))
        with self._lock:
            at = self._since.get(pair)
            if at is None and self._seen.get(pair[0]) == pair[1]:
                at = self._seen_at
        return 0.0 if at is None else max(0.0, time.monotonic() - at)


def waiter_of(task: asyncio.Task[Any]) -> Any:
    """Return the future that *task* waits for; None: it is at work, or waits for its turn only."""
    waiter = getattr(task, "_fut_waiter", None)
    return None if waiter is None or waiter.done() else waiter


SIGHTINGS = Sightings()
"""The one of this process."""


def all_tasks() -> list[asyncio.Task[Any]]:
    """Return the tasks of every event loop of this process, those that are done and still held included.

    From any thread. asyncio keeps them in weak sets, which change while they are read: some tries are worth it. The
    references in the set are copied in one go and asked then: its own iteration takes three times as long.
    """
    found: list[asyncio.Task[Any]] = []
    for name in ("_scheduled_tasks", "_eager_tasks") if "_scheduled_tasks" in vars(asyncio.tasks) else ("_all_tasks",):
        known: Any = vars(asyncio.tasks).get(name, ())
        for _ in range(1000):
            try:
                references: Any = getattr(known, "data", None)
                if references is None:
                    found += list(known)
                else:
                    found += [task for reference in list(references) if (task := reference()) is not None]
            except RuntimeError:
                continue
            break
    return found
