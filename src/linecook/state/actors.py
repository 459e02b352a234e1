"""Who reads and writes: a task, a call on a thread, or a thread; and what it has read and not yet written since.

The memory of reads hangs on the actor, so it goes when the actor goes, and only the actor itself touches it: no lock.
It holds no cell, no task and no large value.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import weakref
from asyncio import current_task
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any, TypeAlias

from .._core.context import Frame, get_frame, here

Read: TypeAlias = tuple[int, CodeType, int, Any]
"""Version, code object, place of the instruction in it, and the value where it is small."""

MOST_READS = 64
"""Reads that one actor remembers; beyond that the oldest is forgotten, and a lost update on it isn't noticed."""

task_here: Callable[[], Any] = current_task  # raises RuntimeError where no loop runs
if sys.version_info < (3, 12):
    # 3.11 asks the system for its process id each time it is asked for the running loop, in Python at that; this is
    # asked twice for a read and a write (benchmarks: shared_tracked, 3.11: 1.5 µs, 1.1 µs so).
    _current: dict[Any, Any] = vars(asyncio.tasks)["_current_tasks"]

    def task_here() -> Any:
        """Return the task that runs in this thread; RuntimeError or AttributeError: ask in another way."""
        ident = threading.get_ident()
        for loop, task in _current.items():  # as many as there are loops in the middle of a step: one, as a rule
            if loop._thread_id == ident:
                return task
        return current_task()


_UNTOLD = "\0"
_LINECOOK = __name__.partition(".")[0] + "."
_POOLS = {"concurrent/futures/thread.py": "self", "anyio/_backends/_asyncio.py": "future"}
"""Where threads serve one call after the other: the file whose ``run`` does, and its variable for the one call."""


class Actor:
    """One who acts by itself: nothing it does can come between two of its own steps.

    Attributes:
      reads: what it read and has not written since, by serial number of the cell (of a map: with the key).
      transaction: the one that runs in it just now; None for none.
      task: a weak reference to the task; None for a thread or a callback.
      thread: identity of the thread it acts on.
    """

    __slots__ = ("__weakref__", "_call", "_name", "reads", "task", "thread", "transaction")

    def __init__(self, name: str, task: asyncio.Task[Any] | None = None) -> None:
        self.reads: dict[Any, Read] = {}
        self.transaction: Any = None
        self.task = None if task is None else weakref.ref(task)
        self.thread = threading.get_ident()
        self._name = name
        call = here.frame if task is None else get_frame()
        self._call = "" if call is None else _step(call)

    @property
    def name(self) -> str:
        """What a reader of a report calls it: the task's name if it was given one, else what runs in it."""
        task = None if self.task is None else self.task()
        given = self._name if task is None else _name_of(task)
        if self._call and (self.task is None or given.startswith(_UNTOLD)):
            return self._call
        return given.removeprefix(_UNTOLD)

    def remember(self, key: Any, read: Read) -> None:
        """Keep *read*, and no more than ``MOST_READS``."""
        reads = self.reads
        reads[key] = read
        if len(reads) > MOST_READS:
            del reads[next(iter(reads))]


def _step(call: Frame) -> str:
    return call.name if call.index is None else f"{call.name}[{call.index}]"


def _name_of(task: asyncio.Task[Any]) -> str:
    """Return the task's name; with what runs in it where nobody gave it one; marked where the call says it better."""
    name, coroutine = task.get_name(), task.get_coro()
    frame = getattr(coroutine, "cr_frame", None)
    if frame is not None and frame.f_globals.get("__name__", "").startswith(_LINECOOK):
        return f"{_UNTOLD}{name}"
    if not name.startswith("Task-"):
        return name
    return f"{name} ({getattr(coroutine, '__qualname__', type(coroutine).__name__)})"


def actor_here() -> Actor:
    """Return who acts here and now; made when it is seen for the first time."""
    try:
        task: Any = current_task()
    except RuntimeError:
        return _on_thread()
    held = _local.held
    if task is None:
        # A plain callback of a loop. The next one is somebody else, and nothing tells the two apart: no memory at all.
        return held or Actor("a callback of the loop")
    if held is not None and held.task is not None and held.task() is task:
        return held
    actor: Actor | None = getattr(task, "_linecook_actor", None)
    if actor is None:
        actor = Actor(_name_of(task), task)
        with suppress(AttributeError):  # a task of somebody's own make, without room: its reads aren't remembered
            task._linecook_actor = actor
    return actor


def hold(actor: Actor) -> Actor | None:
    """Take *actor* from the fast path for a while: ``actor_here`` finds it, ``task._linecook_actor`` doesn't.

    So that an access outside of a transaction needn't ask whether there is one. Returns what ``let_go`` has to be
    given: whom this thread held before (a task that began in the first step of another, inside of its transaction).
    """
    before, _local.held = _local.held, actor
    task: Any = None if actor.task is None else actor.task()
    if task is not None:
        with suppress(AttributeError):
            del task._linecook_actor
    return before


def let_go(actor: Actor, before: Actor | None) -> None:
    """Undo ``hold``."""
    _local.held = before
    task: Any = None if actor.task is None else actor.task()
    if task is not None:
        with suppress(AttributeError):
            task._linecook_actor = actor


class _Local(threading.local):
    """What one thread knows of itself."""

    held: Actor | None = None
    actor: Actor | None = None
    job: weakref.ref[Any] | None = None
    is_worker: bool | None = None


_local = _Local()


def _on_thread() -> Actor:
    """Return the actor of this thread, or of the one call that it serves just now."""
    local = _local
    if local.held is not None:
        return local.held
    thread = threading.current_thread()
    job: Any = here.frame or (None if local.is_worker is False else _job_of_pool(local)) or thread
    known = None if local.job is None else local.job()
    if local.actor is None or job is not known:
        local.actor = Actor(thread.name)
        local.job = weakref.ref(job)
    return local.actor


def _job_of_pool(local: _Local) -> Any:
    """Return what stands for the call that a thread of a pool serves; None where this thread is no such."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "run" and "/" in code.co_filename:
            for file, variable in _POOLS.items():
                if code.co_filename.endswith(file):
                    local.is_worker = True
                    return frame.f_locals.get(variable)
        frame = frame.f_back
    if local.is_worker is None:
        local.is_worker = False
    return None
