"""The standard library's own ways to wait for each other: their methods are switch points where the user calls them."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.thread import _WorkItem
from typing import Any

from .users_code import switch_at

_METHODS: dict[type[Any], str] = {
    threading.Condition: "__enter__ __exit__ wait wait_for notify notify_all",
    threading.Event: "is_set set clear wait",
    threading.Semaphore: "acquire release __exit__",
    threading.BoundedSemaphore: "release",
    threading.Barrier: "wait reset abort",
    threading.Thread: "start join is_alive",
    queue.Queue: "put get put_nowait get_nowait qsize empty full task_done join",
    queue._PySimpleQueue: "put get put_nowait get_nowait qsize empty",  # type: ignore[attr-defined]
    Future: "result exception done running cancelled cancel add_done_callback set_result set_exception",
    Executor: "map __exit__",
    ThreadPoolExecutor: "submit shutdown",
}


def name_switch_points() -> None:
    """Make the methods switch points, at their start and at their end: a lock is released in between."""
    for owner, names in _METHODS.items():
        switch_at(*(vars(owner)[name] for name in names.split()), after=True)
    # What runs a body: the thread, or its place in the pool, is taken by then; that is news to others.
    switch_at(threading.Thread.run, vars(_WorkItem)["run"], always=True)
