"""Thread pools: which calls waited for a thread, and what had the threads meanwhile.

The item that ``ThreadPoolExecutor.submit`` puts into its queue is exchanged for one that takes note. What the function
raises is caught below us, so no frame of ours gets into a traceback.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as pools
import contextvars
import functools
import inspect
import os
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from types import CodeType, FrameType
from typing import Any

from ..._core.place import is_installed, is_ours_or_pythons
from ..place import outwards
from .ledger import Detail, Fact, Ledger, Where
from .origins import made_at

_IN_EXECUTOR: CodeType = asyncio.BaseEventLoop.run_in_executor.__code__
_TO_THREAD: CodeType = asyncio.to_thread.__code__
_LOOK_UPS = {asyncio.BaseEventLoop.getaddrinfo.__code__, asyncio.BaseEventLoop.getnameinfo.__code__}
_STEP: CodeType = asyncio.Handle._run.__code__  # below it is the loop
_IS_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR
_LONG = 0.1  # seconds of waiting, or of a name look-up, that are worth a line
_MOST_WAITING = 64  # waiting calls looked at, at each look: the longest; the rest have waited less
_MOST_TOLD = 2  # of them note what they wait behind, which is the same for all
_MOST_RUNNING = 8  # calls that have a thread, and of which we see where they stand


class Job(pools._WorkItem[Any]):
    """One call given to a pool: what the pool queues, and what we know of it.

    One is made in every ``submit``, at a cost of 2 µs (watch_http): what few of them have stands in the class.
    """

    began = 0.0
    ident = 0
    host: str | None = None
    made_at: Where | None = None
    behind: dict[Detail, float] | None = None
    was_full = False
    pool: _Pool
    asked: float
    code: CodeType  # with the instruction: the line is worked out for the report only
    lasti: int

    @property
    def where(self) -> Where:
        """The user's line that asked for the call, or that made the task that did."""
        if self.made_at is not None:
            return self.made_at
        return Where.at(self.code, self.lasti)

    @property
    def name(self) -> str:
        return f"the name look-up of {self.host}" if self.host else name_of(self.fn)


class _Pool:
    """What is known of one executor: who waits in it, and who runs. Changed from any thread, an item at a time."""

    __slots__ = ("__weakref__", "is_default", "running", "threads", "waiting")

    def __init__(self, executor: ThreadPoolExecutor, *, is_default: bool) -> None:
        self.is_default = is_default
        self.threads = int(getattr(executor, "_max_workers", 0))
        self.waiting: dict[Job, None] = {}
        self.running: dict[Job, None] = {}


class Pools:
    """Sees every ``ThreadPoolExecutor`` of the process; linecook's own lane, which has no such wait, isn't one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._name = f"_linecook_audit_{id(self)}"
        self._pools: weakref.WeakValueDictionary[int, _Pool] = weakref.WeakValueDictionary()
        self._default = threading.local()
        # Async functions of the user's by the id of their code, which is kept: to hash a long one takes microseconds.
        self._askers: dict[int, CodeType] = {}

    def item(self) -> type[Job]:
        """Return what stands in the place of ``concurrent.futures.thread._WorkItem``, which ``submit`` makes."""
        audit, name, askers, clock = self, self._name, self._askers, time.monotonic
        base: Any = pools._WorkItem
        base_init, base_run = base.__init__, base.run

        class WatchedJob(Job):
            def __init__(self, *given: Any) -> None:
                base_init(self, *given)
                submit = sys._getframe(1)
                executor: Any = submit.f_locals["self"]
                self.pool = pool = executor.__dict__.get(name) or audit._pool(executor)
                caller = submit.f_back
                if caller is not None and caller.f_code is _IN_EXECUTOR:
                    caller = caller.f_back
                if caller is not None and caller.f_code is _TO_THREAD:
                    pool.is_default = True
                    caller = caller.f_back
                if caller is not None and id(caller.f_code) in askers:
                    self.code, self.lasti = caller.f_code, caller.f_lasti
                else:
                    audit._ask(self, submit)
                if len(pool.waiting) + len(pool.running) >= pool.threads:
                    self.was_full = True
                self.asked = clock()
                pool.waiting[self] = None

            def run(self) -> None:
                pool = self.pool
                pool.waiting.pop(self, None)
                self.began, self.ident = clock(), get_ident()
                if self.began - self.asked >= _LONG:
                    audit._waited(self)
                pool.running[self] = None
                try:
                    base_run(self)
                finally:
                    pool.running.pop(self, None)
                    if self.host is not None:
                        audit._looked_up(self)

        return WatchedJob

    def _ask(self, job: Job, submit: FrameType) -> None:
        """Find out, at leisure, who called *submit*: the user's line, and whether it was for a name look-up."""
        asker = _library_caller(submit)
        if asker.f_code in _LOOK_UPS or job.fn is socket.getaddrinfo:
            job.host = str(next(iter(job.args), "?"))[:100]
        found, job.made_at = _asker(asker)
        job.code, job.lasti = found.f_code, found.f_lasti
        is_plain = job.made_at is None and job.host is None and job.code.co_flags & _IS_ASYNC
        if is_plain and not _is_library(job.code) and len(self._askers) < 10_000:
            self._askers[id(job.code)] = job.code

    def _pool(self, executor: ThreadPoolExecutor) -> _Pool:
        pool = executor.__dict__[self._name] = _Pool(executor, is_default=self._is_default(executor))
        self._pools[id(pool)] = pool
        return pool

    def _is_default(self, executor: ThreadPoolExecutor) -> bool:
        if getattr(executor, "_thread_name_prefix", "") == "asyncio" or hasattr(self._default, "asked"):
            return True
        return getattr(asyncio._get_running_loop(), "_default_executor", None) is executor

    def run_in_executor(self, loop: asyncio.AbstractEventLoop) -> Callable[..., Any]:
        """Return what stands before that method of *loop*, where the loop's own leaves no frame: uvloop's."""
        original, known = type(loop).run_in_executor, weakref.ref(loop)

        def run_in_executor(executor: Any, func: Any, *args: Any) -> Any:
            loop = known()
            assert loop is not None, "a method of it was called"
            if executor is not None:
                return original(loop, executor, func, *args)
            self._default.asked = True
            try:
                return original(loop, None, func, *args)
            finally:
                del self._default.asked

        return run_in_executor

    def _waited(self, job: Job) -> None:
        """It has a thread, or its turn to get one, after a long time."""
        if not job.was_full:  # a busy machine took its time to start a thread
            return
        if job.future.cancelled():
            self._given_up(job)
        else:
            self._ledger.note(*self._wait(job, job.began - job.asked))

    def _looked_up(self, job: Job) -> None:
        lasted = time.monotonic() - job.began
        if lasted >= _LONG:
            self._ledger.note("dns_slow", job.where, lasted, ((("host", job.host or "?"), 1),))

    def _given_up(self, job: Job) -> None:
        """It was cancelled before it began; seen at a look, or when its turn had come."""
        job.pool.waiting.pop(job, None)
        waited = time.monotonic() - job.asked
        if waited >= _LONG and job.was_full:
            self._ledger.note(*self._wait(job, waited, gave_up=True))
        job.was_full = False  # said

    def _wait(self, job: Job, waited: float, *, gave_up: bool = False) -> Fact:
        kind = "pool_wait" if job.pool.is_default else "own_pool_wait"
        details: list[tuple[Detail, float]] = [(("what", job.name), 1), (("threads", str(job.pool.threads)), 1)]
        if gave_up:
            details.append((("how", "given up before it began"), 1))
        return Fact(kind, job.where, waited, (*details, *(job.behind or {}).items()))

    def look(self, elapsed: float, frames: dict[int, FrameType]) -> None:
        """See, from the watch thread, what has the threads that others wait for; *elapsed*: s since the last look."""
        now = time.monotonic()
        for pool in self._known():
            waiting = _first(pool.waiting, _MOST_WAITING)
            if not waiting or now - waiting[0].asked < _LONG / 2:
                continue
            running = _first(pool.running, _MOST_RUNNING)
            weight = elapsed * max(1.0, len(pool.running) / _MOST_RUNNING)
            behind = [_holder(job, frames) for job in running]
            for number, job in enumerate(waiting):
                if job.future.cancelled():
                    self._given_up(job)
                elif number < _MOST_TOLD:
                    job.behind = {} if job.behind is None else job.behind
                    for each in behind:
                        job.behind[each] = job.behind.get(each, 0.0) + weight

    def still_waiting(self) -> list[Fact]:
        """Return the waits that are not over."""
        now = time.monotonic()
        waiting = [job for pool in self._known() for job in _first(pool.waiting, 10_000)]
        return [self._wait(job, now - job.asked) for job in waiting if job.was_full and now - job.asked >= _LONG]

    def slow_look_ups(self) -> list[Fact]:
        """Return the name look-ups that have lasted long and are not over."""
        now = time.monotonic()
        running = [job for pool in self._known() for job in _first(pool.running, 10_000) if job.host]
        return [
            Fact("dns_slow", job.where, now - job.began, ((("host", job.host or ""), 1), (("how", "not over"), 1)))
            for job in running
            if now - job.began >= _LONG
        ]

    def _known(self) -> list[_Pool]:
        return [pool for ref in self._pools.valuerefs() if (pool := ref()) is not None]

    def asked_for(self, ident: int) -> Where | None:
        """Return the line that asked for the call that runs on the thread *ident*; None: none runs there."""
        for pool in self._known():
            for job in _first(pool.running, 10_000):
                if job.ident == ident:
                    return job.where
        return None


_library_files: dict[str, bool] = {}


def _is_library(code: CodeType) -> bool:
    file = code.co_filename
    known = _library_files.get(file)
    if known is None:
        if len(_library_files) > 10_000:
            _library_files.clear()
        known = _library_files[file] = is_ours_or_pythons(file) or is_installed(file)
    return known


def _library_caller(submit: FrameType) -> FrameType:
    """Return the frame that asked for the call: below ``run_in_executor``, where that was called."""
    frame = submit.f_back or submit
    return frame.f_back if frame.f_code is _IN_EXECUTOR and frame.f_back is not None else frame


def _asker(frame: FrameType) -> tuple[FrameType, Where | None]:
    """Return the user's frame in *frame* or its callers; where its task has none, also the line that made the task."""
    found: FrameType | None = frame
    while found is not None and found.f_code is not _STEP and _is_library(found.f_code):
        found = found.f_back
    if found is not None and found.f_code is not _STEP and found.f_code.co_flags & _IS_ASYNC:
        return found, None
    # A plain function: of this task, or below it, as the one that called asyncio.run is on loops without _STEP?
    task = _current_task()
    bottom = getattr(task.get_coro(), "cr_frame", None) if task is not None else None
    if found is None or found.f_code is _STEP or any(each is bottom for each in outwards(frame, found)):
        return frame, made_at(task) if task is not None else None
    return found, None


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None


def _holder(job: Job, frames: dict[int, FrameType]) -> Detail:
    """Say where the thread of *job* stands: the user's line, else the function that was asked for."""
    frame = frames.get(job.ident)
    if job.host is None and frame is not None:
        where = Where.of(frame)
        if not is_ours_or_pythons(where.file):
            return "behind", where
    place = job.where
    return "behind", f"{job.name}, asked for at {os.path.basename(place.file)}:{place.line}"


def _first(jobs: dict[Job, None], count: int) -> list[Job]:
    """Return the *count* oldest of *jobs*, which other threads change while we read."""
    for _ in range(100):
        try:
            return [job for job, _ in zip(jobs, range(count), strict=False)]
        except RuntimeError:  # it changed its size
            continue
    return []


def name_of(function: Any) -> str:
    """Return the qualified name of a callable, looked for below ``partial`` and ``Context.run``."""
    for _ in range(10):
        if isinstance(function, functools.partial):
            inner: Any = function.func
            is_run = getattr(inner, "__name__", "") == "run" and isinstance(
                getattr(inner, "__self__", None), contextvars.Context
            )
            function = function.args[0] if is_run and function.args else inner
        else:
            break
    return str(getattr(function, "__qualname__", None) or type(function).__name__)
