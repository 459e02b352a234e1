"""One loop's side of the process lane: its waiting jobs, the workers it has borrowed, and who gets what next.

Everything here runs on that loop's thread. A worker is borrowed while jobs of this loop are in it and given back when
they aren't, so that pytest's loop per test finds warm workers, and two loops in two threads share one set.
"""

from __future__ import annotations

import asyncio
import pickle
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from .._core.endings import contained
from .._core.errors import LaneLost, NotPortable, Work
from .._core.waitqueue import WaitQueue
from . import wire
from .base import DONE, DROPPED, KILLED, QUEUED, RUNNING, Job, answer
from .portable import Route
from .process_worker import TooLarge, Worker

if TYPE_CHECKING:
    from .process import ProcessLane

FILL = 0.004
"""Seconds of work to have inside a worker: less idles it for a round trip, more spoils cancelling and fairness."""

LEAST = 10e-6
"""What a job is counted for at least: its way there and back."""

MOST = 512
BULKY_INSIDE = 2

LOOK, GLANCE = 0.02, 0.25
"""Seconds between looks at workers that hold more than one job, and at workers that hold one."""

LONG = 0.01
"""A body that runs longer than this doesn't keep others waiting behind it in the same worker."""


class Desk:
    """See the module's docstring."""

    def __init__(self, lane: ProcessLane, loop: asyncio.AbstractEventLoop) -> None:
        self.lane = lane
        self.loop = loop
        self.queue: WaitQueue[Job] = WaitQueue()
        self.waiting = 0
        self.dropped = 0
        self.workers: set[Worker] = set()
        self.idle: list[Worker] = []
        self._dispatch_soon = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_slow = False
        self._writing: set[Worker] = set()

    # ---- taking jobs

    def submit(self, job: Job) -> None:
        """Queue *job*; the jobs of one tick go out together, but for the first when a worker stands idle."""
        job.state = QUEUED
        job.queued_at = time.monotonic()
        self.queue.put(job, job.priority)
        self.waiting += 1
        if not self._dispatch_soon:
            self._dispatch_soon = True
            self.loop.call_soon(self.dispatch)

    def dispatch(self) -> None:
        """Give waiting jobs to workers, until either runs out."""
        self._dispatch_soon = False
        while self.waiting:
            worker = self._next_worker()
            if worker is None:
                break
            share = -(-self.waiting // max(1, len(self.idle) + 1)) if not worker.jobs else MOST
            if not self._fill(worker, share):
                break
        for worker in self.idle:
            if not worker.jobs:
                self.loop.call_soon(self._give_back_idle)
                break

    def _next_worker(self) -> Worker | None:
        while self.idle:
            worker = self.idle.pop()  # newest first: its caches are warm
            if worker in self.workers:
                return worker
        worker = self._borrow()
        if worker is not None and worker.ready:
            return worker
        # One that is starting will say hello; meanwhile those that run may take a little more.
        room = [w for w in self.workers if w.ready and w.jobs and w.load < FILL / 2 and not w.receiving and not w.backlog]
        return min(room, key=lambda w: w.load, default=None)

    def _borrow(self) -> Worker | None:
        starting = sum(1 for worker in self.workers if not worker.ready)
        if starting >= self.waiting:
            return None
        worker = self.lane.lend(self)
        if worker is not None:
            self.workers.add(worker)
            self.loop.add_reader(worker.sock, self._on_readable, worker)
            if worker.backlog:
                self._write_later(worker)
        return worker

    def _fill(self, worker: Worker, share: int) -> int:
        """Send up to *share* jobs to *worker*, no more than fill its time; returns how many."""
        batch: list[tuple[Any, ...]] = []
        sent = 0
        bulky = 0
        if worker.path != sys.path:
            worker.set_up(())
        while sent < share and self.waiting and len(worker.jobs) < MOST:
            job = self.queue.take()
            if job is None:
                break
            if job.state != QUEUED:
                self.dropped -= 1
                continue
            cost = max(LEAST, job.meter.typical)
            if worker.jobs and worker.load + cost > FILL:
                self.queue.put_back(job, job.priority)
                break
            self.waiting -= 1
            route, arguments, deadline = job.port
            number = worker.next_number()
            worker.jobs[number] = (job, cost)
            worker.load += cost
            job.worker = (worker, number)
            spec = None
            if worker.known.get(route.number) != route.version:
                worker.known[route.number] = route.version
                spec = route.spec
            sent += 1
            if type(arguments) is bytes:
                batch.append((number, route.number, spec, arguments, deadline))
                continue
            if batch:
                worker.send_jobs(batch)
                batch = []
            worker.send_bulky((number, route.number, spec, arguments.size, deadline), arguments)
            bulky += 1
            if bulky >= BULKY_INSIDE:
                break
        if batch:
            worker.send_jobs(batch)
        if worker.backlog:
            self._write_later(worker)
        if not worker.jobs:
            self.idle.append(worker)
        elif self._timer is None or (self._timer_slow and len(worker.jobs) > 1):
            self._look_in(LOOK)
        return sent

    def _write_later(self, worker: Worker) -> None:
        if worker not in self._writing:
            self._writing.add(worker)
            self.loop.add_writer(worker.sock, self._on_writable, worker)

    def _on_writable(self, worker: Worker) -> None:
        if worker.push():
            self._writing.discard(worker)
            self.loop.remove_writer(worker.sock)

    # ---- answers

    def _on_readable(self, worker: Worker) -> None:
        if worker.receiving or worker not in self.workers:
            return
        gone = not self._collect(worker)
        if gone:
            self._lost(worker)
        elif not worker.receiving:
            self._go_on(worker)

    def _collect(self, worker: Worker) -> bool:
        """Take the answers that have come; False when the worker is gone."""
        try:
            for number, status, count, body, start, wall, cpu in worker.receive():
                if status == wire.HELLO:
                    worker.ready = True
                    self.lane.greeted()
                    continue
                entry = worker.jobs.pop(number, None)
                worker.finished += 1
                if entry is None:
                    continue
                job, cost = entry
                worker.load -= cost
                if body is None:
                    job.value = None
                else:
                    _take_value(job, status, count, body)
                self._end(job, start, wall, cpu)
        except EOFError:
            return False
        except TooLarge as large:
            self._receive_in_thread(worker, large)
        return True

    def _end(self, job: Job, start: float, wall: float, cpu: float) -> None:
        job.state = DONE
        job.started_at = start
        job.ended_at = start + wall
        job.port = job.worker = None
        meter = job.meter
        meter.typical = wall if meter.calls == 0 else meter.typical + 0.2 * (wall - meter.typical)
        meter.calls += 1
        meter.wall += wall
        if cpu >= 0.0:
            meter.cpu += cpu
            meter.cpu_wall += wall
            meter.cpu_calls += 1
        if job.error is not None:
            meter.failures += 1
        answer(job)

    def _go_on(self, worker: Worker) -> None:
        """After answers: refill, or give the worker back when nothing is left for it."""
        if worker.jobs:
            if self.waiting and worker.load < FILL / 2 and not worker.backlog and not self.lane.wanted_by_others(self):
                self._fill(worker, MOST)
            return
        if not worker.ready:
            return
        worker.load = 0.0
        if self.lane.wanted_by_others(self):
            self._give_back(worker)
            return
        if worker not in self.idle:
            self.idle.append(worker)
        if self.waiting:
            self.dispatch()
        else:
            # Not at once: a caller that calls again in its next step finds the worker still here.
            self.loop.call_soon(self._give_back_idle)

    def _give_back_idle(self) -> None:
        if self.waiting:
            return
        idle, self.idle = self.idle, []
        for worker in idle:
            if worker in self.workers and not worker.jobs:
                self._give_back(worker)
        if not any(worker.jobs for worker in self.workers):
            for worker in list(self.workers):
                if not worker.receiving:
                    self._give_back(worker)

    def _give_back(self, worker: Worker) -> None:
        if worker in self._writing:
            return  # it goes when it has taken what was meant for it
        self._let_go(worker)
        self.lane.take_back(worker)

    def _let_go(self, worker: Worker) -> None:
        self.workers.discard(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        self.loop.remove_reader(worker.sock)
        if worker in self._writing:
            self._writing.discard(worker)
            self.loop.remove_writer(worker.sock)

    # ---- a large result

    def _receive_in_thread(self, worker: Worker, large: TooLarge) -> None:
        worker.receiving = True
        self.loop.remove_reader(worker.sock)
        if worker in self._writing:
            self._writing.discard(worker)
            self.loop.remove_writer(worker.sock)
        number, length, status, count, start, wall, cpu = large.head

        def read() -> None:
            value, error, broken = _read_large(worker, length, count, large.prefix)
            large.prefix = b""
            try:
                self.loop.call_soon_threadsafe(arrived, value, error, broken)
            except RuntimeError:  # the loop is closed
                worker.receiving = False

        def arrived(value: Any, error: Exception | None, broken: bool) -> None:
            worker.receiving = False
            worker.sock.setblocking(False)
            if worker not in self.workers:
                return
            entry = None if broken and error is None else worker.jobs.pop(number, None)
            if entry is not None:
                worker.finished += 1
                job, cost = entry
                worker.load -= cost
                job.value, job.error = value, None
                if error is not None:
                    job.error = _unrebuilt(job, error)
                self._end(job, start, wall, cpu)
            if broken:
                worker.kill()
                self._lost(worker)
                return
            self.loop.add_reader(worker.sock, self._on_readable, worker)
            if worker.backlog:
                self._write_later(worker)
            self._go_on(worker)

        threading.Thread(target=read, name=f"linecook-large-result-{worker.pid}", daemon=True).start()

    # ---- giving up

    def cancel(self, job: Job) -> Work:
        """See ``Lane.cancel``: what waits is dropped, what runs is killed with its worker."""
        if job.state == DONE:
            return "finished"
        if job.worker is None:
            if job.state == QUEUED:
                self.waiting -= 1
                self.dropped += 1
                self._drop(job)
                if self.dropped > 1000 and self.dropped > self.waiting:
                    self._sweep()
            return "not started"
        worker, number = job.worker
        if worker.take_back(number):
            self._forget(worker, number)
            self._drop(job)
            return "not started"
        return self._stop(job, worker, number)

    def _stop(self, job: Job, worker: Worker, number: int) -> Work:
        self._take_back_others(worker, number)
        if worker.receiving or worker.begun() != number:
            # It ended this moment; the answer is on its way, or being read.
            self._forget(worker, number)
            job.state = DONE
            return "finished"
        gone = not self._collect(worker)
        if job.state == DONE:
            if gone:
                self._lost(worker)
            return "finished"
        if worker.receiving:
            return "finished"
        self._forget(worker, number)
        job.state = KILLED
        job.ended_at = time.monotonic()
        job.started_at = worker.begun_at(number) or job.started_at
        job.port = job.worker = None
        self.lane.killed += 1
        self._end_worker(worker)
        return "stopped"

    def _forget(self, worker: Worker, number: int) -> None:
        entry = worker.jobs.pop(number, None)
        if entry is not None:
            worker.load -= entry[1]
            if not worker.jobs:
                self.loop.call_soon(self._idle_again, worker)

    def _idle_again(self, worker: Worker) -> None:
        if worker in self.workers and not worker.jobs and not worker.receiving:
            self._go_on(worker)

    def _drop(self, job: Job) -> None:
        job.state = DROPPED
        job.ended_at = time.monotonic()
        job.port = job.worker = None

    def _sweep(self) -> None:
        for job in self.queue.drain():
            if job.state == QUEUED:
                self.queue.put(job, job.priority)
        self.dropped = 0

    def _take_back_others(self, worker: Worker, running: int) -> None:
        """Put what *worker* has not begun back at the head of the queue."""
        back: list[int] = [number for number in worker.jobs if number != running and worker.take_back(number)]
        # Numbers below the one that runs were run before it: their answers are in the socket.
        for number in reversed([number for number in back if number > running]):
            job, cost = worker.jobs.pop(number)
            worker.load -= cost
            self._requeue(job)

    def _requeue(self, job: Job) -> None:
        job.worker = None
        job.state = QUEUED
        self.queue.put_back(job, job.priority)
        self.waiting += 1
        if not self._dispatch_soon:
            self._dispatch_soon = True
            self.loop.call_soon(self.dispatch)

    def _end_worker(self, worker: Worker) -> None:
        """Kill *worker*; whoever waits gets another at once."""
        worker.kill()
        self._let_go(worker)
        self.lane.bury(worker, self.loop)
        if self.waiting:
            self.dispatch()

    # ---- deaths

    def _lost(self, worker: Worker) -> None:
        """The socket ended: find out why, tell the one whose body ran, send the others elsewhere."""
        self._let_go(worker)
        self._inquire(worker, 0)

    def _inquire(self, worker: Worker, tries: int) -> None:
        # The socket closes a moment before the exit code is there; a body may also have closed the socket and live on.
        if not worker.reap():
            if tries < 20:
                self.loop.call_later(0.001 * (tries + 1) if tries < 5 else 0.01, self._inquire, worker, tries + 1)
                return
            worker.kill()
        self._settle(worker)

    def _settle(self, worker: Worker) -> None:
        jobs = worker.jobs
        worker.jobs = {}
        begun, preparing = worker.begun(), worker.preparing()
        culprit = begun if begun in jobs else preparing if preparing in jobs else 0
        barren = self.lane.died(worker, bool(culprit), self.loop)
        for number in reversed(jobs):
            job = jobs[number][0]
            if number == culprit:
                job.error = self._loss(worker, job, begun == number)
                job.started_at = worker.begun_at(number) or job.started_at
                job.state = DONE
                job.ended_at = time.monotonic()
                job.port = job.worker = None
                job.meter.calls += 1
                job.meter.failures += 1
                answer(job)
            else:
                self._requeue(job)
        if barren:
            self._give_up(worker)
        elif self.waiting:
            self.dispatch()

    def _loss(self, worker: Worker, job: Job, begun: bool) -> LaneLost:
        when = "under" if begun else "while it loaded the function and arguments of"
        return LaneLost(
            f"the worker process (pid {worker.pid}) died {when} {job.label or 'a call'}: {_reason(worker)}. Only this call "
            "is lost; calls that had not begun in that worker run in another.",
            call=job.frame,
            work="stopped" if begun else "not started",
            exitcode=worker.exitcode,
        )

    def _give_up(self, worker: Worker) -> None:
        for job in self.queue.drain():
            if job.state != QUEUED:
                continue
            job.state = DONE
            job.port = None
            job.error = LaneLost(
                f"{job.label or 'a call'} could not run: worker processes die before they run anything, the last of "
                f"{self.lane.barren}: {_reason(worker)}. See what they wrote to stderr; try: {sys.executable} -c pass",
                call=job.frame,
                work="not started",
                exitcode=worker.exitcode,
            )
            answer(job)
        self.waiting = self.dropped = 0

    # ---- looking after what runs

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_slow = seconds > LOOK
        self._timer = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        several = busy = False
        for worker in list(self.workers):
            if not worker.jobs or worker.receiving:
                continue
            busy = True
            begun = worker.begun()
            if begun in worker.jobs:
                start = worker.begun_at(begun)
                job = worker.jobs[begun][0]
                job.started_at, job.state = start, RUNNING
                if start and now - start > LONG:
                    self.lane.want_spare()
                    if len(worker.jobs) > 1:
                        self._take_back_others(worker, begun)
            several = several or len(worker.jobs) > 1
            if worker.reap():  # a process that the body forked may hold the socket open
                self._collect(worker)
                self._lost(worker)
        if busy:
            self._look_in(LOOK if several else GLANCE)

    def refresh(self, job: Job) -> None:
        """Read from the worker's page whether *job*'s body has begun, and when."""
        if job.worker is not None:
            worker, number = job.worker
            start = worker.begun_at(number)
            if start:
                job.started_at, job.state = start, RUNNING


def _take_value(job: Job, status: int, count: int, body: memoryview) -> None:
    """Rebuild what a worker answered into ``job.value`` or ``job.error``."""
    try:
        value = pickle.loads(body) if not count else wire.unpack(body, count)
    except Exception as error:
        job.error = _unrebuilt(job, error)
        return
    if status == wire.OK:
        job.value = value
    elif status == wire.UNPORTABLE:
        job.error = NotPortable(
            f"the result of {job.label} can't be sent back from its process: it{value}. Return plain data (numbers, text, "
            "dataclasses), or use lane='thread'."
        )
    else:
        from .worker_errors import decode

        error = decode(value, job.label)
        if status == wire.UNLOADABLE:
            job.error = NotPortable(f"{job.label} or its arguments can't be loaded in a worker process: {error!r}")
            job.error.__cause__ = error
        else:
            job.error = contained(error, job.label, job.frame)


def _unrebuilt(job: Job, error: Exception) -> NotPortable:
    problem = NotPortable(
        f"the result of {job.label} can't be rebuilt in this process: {type(error).__name__}: {error}. Return plain data, "
        "or use lane='thread'."
    )
    problem.__cause__ = error
    return problem


def _read_large(worker: Worker, length: int, count: int, prefix: bytes) -> tuple[Any, Exception | None, bool]:
    """On a thread: read and rebuild a large result; returns it, or what went wrong, and whether the stream is broken."""
    worker.sock.setblocking(True)
    reader = wire.Reader(worker.sock, length, prefix)
    try:
        return reader.load(count), None, False
    except (EOFError, OSError):
        return None, None, True
    except Exception as error:
        return None, error, reader.left > 0


def _reason(worker: Worker) -> str:
    code = worker.exitcode
    if code is None or (code == -signal.SIGKILL and worker.killed):
        return "it closed its connection to this process"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = " (out of memory, or somebody killed it)" if code == -signal.SIGKILL else ""
        return f"killed by {name}{hint}"
    return f"it exited with code {code}"


__all__ = ["Desk", "Route", "socket"]
