"""Since when each task waits: noted by whoever looks, since nobody else takes the time.

A wait is told by the future that the task waits for: as long as it is the same one, the task has not moved.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from .posts import waiter_of

_MOST = 200_000  # tasks remembered; beyond that waits are told as new


Mark = Callable[[], Any]
"""Returns the future that was seen; None when it is gone; a number for one that can't be known weakly."""


def _mark(waiter: Any) -> Mark:
    try:
        return weakref.ref(waiter)
    except TypeError:  # jobs of a lane
        return partial(int, id(waiter))


class Sightings:
    """Remembers which future each task was seen to wait for, and since when; tasks and futures are known weakly."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: weakref.WeakKeyDictionary[asyncio.Task[Any], tuple[Mark, float]] = weakref.WeakKeyDictionary()

    def look(self, tasks: Iterable[asyncio.Task[Any]]) -> list[tuple[asyncio.Task[Any], float]]:
        """Note what *tasks* wait for; return those that wait, each with since when (``time.monotonic()``)."""
        now = time.monotonic()
        found: list[tuple[asyncio.Task[Any], float]] = []
        with self._lock:
            seen = self._seen
            for task in tasks:
                waiter = waiter_of(task)
                if waiter is None:
                    continue
                known = seen.get(task)
                if known is not None and known[0]() in (waiter, id(waiter)):
                    found.append((task, known[1]))
                elif len(seen) < _MOST or known is not None:
                    seen[task] = (_mark(waiter), now)
                    found.append((task, now))
        return found

    def since(self, task: asyncio.Task[Any]) -> float:
        """Return for how many seconds *task* has been seen to wait for what it waits for now; 0.0: it is new."""
        with self._lock:
            known = self._seen.get(task)
        if known is None or known[0]() not in (waiter_of(task), id(waiter_of(task))):
            return 0.0
        return max(0.0, time.monotonic() - known[1])


SIGHTINGS = Sightings()
"""The one of this process."""


def all_tasks() -> list[asyncio.Task[Any]]:
    """Return the tasks of every event loop of this process, those that are done and still held included.

    From any thread. asyncio keeps them in weak sets, which change while they are read: some tries are worth it.
    """
    found: dict[int, asyncio.Task[Any]] = {}
    for name in ("_scheduled_tasks", "_eager_tasks", "_all_tasks"):
        known: Any = vars(asyncio.tasks).get(name, ())
        for _ in range(1000):
            try:
                found.update((id(task), task) for task in list(known))
            except RuntimeError:
                continue
            break
    return list(found.values())
