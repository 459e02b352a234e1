"""The process lane: bodies run in small worker processes of our own, past the GIL, and each can be killed alone.

Instead of ``ProcessPoolExecutor``: there one killed worker, or one exception that can't be rebuilt, breaks the pool for
good; a hung call is never killed; and a call costs four thread hand-overs. Here the loop itself reads one socket per
worker; the jobs of a tick travel together; a time-out ends one process and another takes its place.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping

from .._core.errors import Refused, Work
from .._core.events import Events
from .base import Job
from .portable import pack_arguments
from .process_burial import Undertaker
from .process_desk import Desk
from .process_giving_up import cancel
from .process_routes import Routes, terms
from .process_worker import Worker

MOST_BARREN = 4
"""So many workers in a row may die before they have run anything; then whoever waits is told."""

POLITE = 1.0
"""Seconds that ``close`` gives workers to go by themselves."""

LAST_MOMENT = 0.2
"""The same at interpreter exit."""


class ProcessLane:
    """Worker processes for every loop of this process.

    Args:
      processes: how many may run bodies at a time, ≥ 1; None: the number of CPUs. One more stands by, warm, once a body
        has run longer than 10 ms. A loop whose peers hold all of them without running gets one beyond the bound.
      max_queued: jobs that may wait, per loop, ≥ 0; beyond it ``submit`` raises ``Refused``.
      events: where ``lane.grew`` and ``lane.lost`` are told.
    """

    name = "process"

    def __init__(
        self, *, processes: int | None = None, max_queued: int = 100_000, events: Events | None = None
    ) -> None:
        if processes is not None and processes < 1:
            raise ValueError(f"processes={processes}: at least one worker process is needed; None means one per CPU")
        self.processes = processes or os.cpu_count() or 1
        self.max_queued = max_queued
        self.events = events or Events()
        self._begin()
        _lanes.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._desks: dict[asyncio.AbstractEventLoop, Desk] = {}
        self._desk: Desk | None = None
        self._free: list[Worker] = []
        self._all: set[Worker] = set()
        self._spare: Worker | None = None
        self._undertaker = Undertaker(self._lock)
        self._wanting: deque[Desk] = deque()
        self.routes = Routes(self._preload)
        self.closed = False
        self._closer: threading.Thread | None = None
        self.killed = 0
        self.lost = 0
        self.barren = 0
        self.silent = 0

    # ---- the lane's face

    def submit(self, job: Job) -> None:
        """Take *job*; see ``Lane.submit``. Arguments are pickled here and now: later changes don't travel.

        Raises:
          NotPortable: the function or an argument can't travel; the message names it.
          Refused: ``max_queued`` jobs wait already, or the lane is closed.
        """
        desk = self._desk_of(job.future.get_loop())
        if desk.waiting >= self.max_queued:
            raise Refused(
                f"{job.label} was refused: max_queued={self.max_queued} jobs wait for lane process. "
                "Bound the fan-out (limit=), or raise max_queued.",
                call=job.frame,
            )
        if self.closed:
            raise Refused(f"{job.label} was refused: the process lane is closed", call=job.frame)
        route = self.routes.of(job.body, job.label)
        args = (*route.receiver, *job.args) if route.receiver else job.args
        arguments = pack_arguments(job.body, job.label, args, job.kwargs)
        job.port = (route, arguments, terms(job), 0)
        desk.submit(job)

    def cancel(self, job: Job) -> Work:
        """Give *job* up; see ``Lane.cancel``. A body that runs is ended with its worker: never ``"abandoned"``."""
        return cancel(self._desk_of(job.future.get_loop()), job)

    def refresh(self, job: Job) -> None:
        """Bring ``job.started_at`` up to date: the body may have begun in its worker since."""
        self._desk_of(job.future.get_loop()).refresh(job)

    def statistics(self) -> Mapping[str, int]:
        """Return counts and bounds: workers (starting, spare), jobs running (sent to one) and waiting, by priority."""
        with self._lock:
            desks = list(self._desks.values())
            workers = list(self._all)
            counts = {
                "processes": self.processes,
                "max_queued": self.max_queued,
                "workers": len(workers),
                "starting": sum(not worker.ready for worker in workers),
                "spare": int(self._spare is not None),
                "running": sum(len(worker.jobs) for worker in workers),
                "waiting": sum(desk.waiting for desk in desks),
                "killed": self.killed,
                "lost": self.lost,
            }
        for desk in desks:
            for priority, count in desk.waiting_by_priority().items():
                counts[f"waiting_{priority}"] = counts.get(f"waiting_{priority}", 0) + count
        return counts

    def running(self) -> list[tuple[str, int, float]]:
        """Return (label, worker's process id, seconds) of each body under way, longest first."""
        now = time.monotonic()
        found: list[tuple[str, int, float]] = []
        with self._lock:
            for worker in self._all:
                entry = worker.jobs.get(worker.begun())
                if entry is not None:
                    start = worker.begun_at(worker.begun()) or now
                    found.append((entry[0].label, worker.pid, now - start))
        return sorted(found, key=lambda item: -item[2])

    def close(self, *, wait: float = POLITE) -> None:
        """Send the workers home and refuse new jobs; what waits is answered ``Refused``. Returns at once.

        An idle worker runs what tools registered for its end; one whose body runs may end it. Whoever is left after
        *wait* seconds is killed, and its call answered ``LaneLost``.
        """
        if not self._send_home():
            return
        self._closer = threading.Thread(target=self._see_off, args=(wait,), name="linecook-process-close", daemon=True)
        self._closer.start()

    def _send_home(self) -> bool:
        with self._lock:
            if self.closed:
                return False
            self.closed = True
            if self._spare is not None:
                self._all.add(self._spare)
                self._free.append(self._spare)
                self._spare = None
            for worker in self._all:
                worker.send_home()
            for loop, desk in self._desks.items():
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(desk.dispatch)
            return True

    def close_at_exit(self) -> None:
        """Close when the interpreter ends: idle workers have a moment to go politely, busy ones are killed at once.

        Ctrl-C shortens the moment: every worker is killed, and nothing more is waited for.
        """
        try:
            self._close_at_exit()
        except KeyboardInterrupt:
            for worker in (*self._all, *self._undertaker.dying):
                worker.kill()

    def _close_at_exit(self) -> None:
        self._send_home()
        with self._lock:
            for worker in self._all:
                if worker.jobs:
                    worker.kill()
        self._see_off(LAST_MOMENT)

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until every worker is gone, at most *timeout* seconds; True when they are. Blocks: not for a loop."""
        if self._closer is not None:
            self._closer.join(timeout)
            return not self._closer.is_alive()
        return not self._all

    # ---- for desks

    def lend(self, desk: Desk) -> Worker | None:
        """Return a free worker, or a new one while there may be more; None: *desk* is told when one comes free."""
        with self._lock:
            if self.closed:
                return None
            while self._free:
                ready = next((worker for worker in reversed(self._free) if worker.ready), self._free[-1])
                self._free.remove(ready)
                if not ready.reap():
                    return ready
                self._discard(ready)
            if self._spare is not None and self._room(desk):
                worker, self._spare = self._spare, None
                self._all.add(worker)
                return worker
            if self._room(desk):
                return self._start()
            if desk not in self._wanting:
                self._wanting.append(desk)
            return None

    def _room(self, desk: Desk) -> bool:
        if len(self._all) < self.processes:
            return True
        self._reclaim()
        held = {worker for other in self._desks.values() for worker in (*other.workers, *other.promised)}
        for worker in self._all - held:
            if worker.reap():  # it died on the shelf, or its loop was closed while it was asked of what
                self._discard(worker)
        self._free = [worker for worker in self._free if worker in self._all]
        stuck = sum(
            len(other.workers) + len(other.promised)
            for loop, other in self._desks.items()
            if other is not desk and not loop.is_running()
        )
        return len(self._all) - stuck < self.processes

    def _start(self) -> Worker:
        worker = Worker(list(self.routes.modules))
        self._all.add(worker)
        if self.events.heard:
            self.events.emit("lane.grew", lane="process", workers=len(self._all), pid=worker.pid)
        return worker

    def take_back(self, worker: Worker) -> None:
        """A desk has nothing in *worker* any more."""
        with self._lock:
            if worker.finished:
                self.barren = self.silent = 0
            if not self._promise(worker):
                self._free.append(worker)

    def _promise(self, worker: Worker) -> bool:
        """Give *worker* to the loop that has waited longest; off the shelf, its last borrower would be faster."""
        while self._wanting:
            desk = self._wanting.popleft()
            try:
                desk.promised.append(worker)
                desk.loop.call_soon_threadsafe(desk.dispatch)
            except RuntimeError:  # its loop is closed
                desk.promised.pop()
            else:
                return True
        return False

    def _tell_the_wanting(self) -> None:
        while self._wanting:
            desk = self._wanting.popleft()
            with contextlib.suppress(RuntimeError):  # its loop is closed
                desk.loop.call_soon_threadsafe(desk.dispatch)
                return

    def wanted_by_others(self, desk: Desk) -> bool:
        """Say whether another loop waits for a worker: then one that comes free goes there first."""
        return bool(self._wanting) and any(other is not desk for other in list(self._wanting))

    def _preload(self, module: str) -> None:
        with self._lock:
            if self._spare is not None:
                self._spare.preload(module)

    def want_spare(self) -> None:
        """Have one worker stand by: a body runs long enough that it may be killed."""
        with self._lock:
            if self._spare is None and not self.closed:
                with contextlib.suppress(OSError):  # out of processes or memory: it would have been a help, no more
                    self._spare = Worker(list(self.routes.modules))

    def bury(self, worker: Worker) -> None:
        """*worker* has been killed, or has ended: take it off the list, and collect it when it is gone."""
        with self._lock:
            self._all.discard(worker)
            self._undertaker.take(worker)
            self._tell_the_wanting()

    def died(self, worker: Worker, culprit: bool) -> bool:
        """Note that *worker* ended by itself; True when so many did before running anything that it's no accident."""
        with self._lock:
            self.lost += not self.closed
            if not worker.ready:
                self.routes.unlearn(None)  # importing one of them beforehand may be what killed it
            if worker.finished or culprit:
                self.barren = 0
            else:
                self.barren += 1
            self.bury(worker)
            if self.events.heard:
                self.events.emit("lane.lost", lane="process", pid=worker.pid, exitcode=worker.exitcode)
            if self.barren >= MOST_BARREN:
                return True
        return False

    # ---- inside

    def _desk_of(self, loop: asyncio.AbstractEventLoop) -> Desk:
        desk = self._desk
        if desk is not None and desk.loop is loop:
            return desk
        with self._lock:
            desk = self._desks.get(loop)
            if desk is None:
                self._reclaim()
                desk = self._desks[loop] = Desk(self, loop)
            self._desk = desk
            return desk

    def _reclaim(self) -> None:
        """Take the workers of closed loops back; what still runs in them is nobody's any more, and is killed."""
        for loop, desk in list(self._desks.items()):
            if loop.is_closed():
                del self._desks[loop]
                for worker in (*desk.workers, *desk.promised):
                    if worker.jobs or worker.receiving:
                        worker.kill()
                        self.bury(worker)
                    else:
                        self._free.append(worker)
                desk.workers = set()
                desk.promised.clear()

    def _discard(self, worker: Worker) -> None:
        self._all.discard(worker)
        worker.close()

    def _see_off(self, wait: float) -> None:
        """Wait for the workers to go, then make them; what a running loop has borrowed is let go by that loop."""
        with self._lock:
            workers = [*self._all, *self._undertaker.dying]
        _until(workers, time.monotonic() + wait)
        for worker in workers:
            worker.kill()
        _until(workers, time.monotonic() + POLITE)
        with self._lock:
            self._reclaim()
            borrowed: set[Worker] = set()
            for loop, desk in self._desks.items():
                if loop.is_running():
                    borrowed |= desk.workers | set(desk.promised)
                else:
                    desk.let_all_go()
            for worker in (*(set(workers) - borrowed), *self._undertaker.dying):
                worker.close()
            self._all.clear()
            self._free.clear()
            self._undertaker.dying.clear()

    def _forget(self) -> None:
        """In a forked child: the workers are the parent's; start afresh."""
        for worker in (*self._all, *self._undertaker.dying, *([self._spare] if self._spare else [])):
            worker.forget()
        self._begin()


def _until(workers: list[Worker], deadline: float) -> None:
    while sum(not worker.reap() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.002)


_lanes: weakref.WeakSet[ProcessLane] = weakref.WeakSet()


def _after_fork() -> None:
    for lane in list(_lanes):
        lane._forget()


def _at_exit() -> None:
    """Idle workers go politely, busy ones are killed; the life pipe is there for every other kind of end."""
    for lane in list(_lanes):
        lane.close_at_exit()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
