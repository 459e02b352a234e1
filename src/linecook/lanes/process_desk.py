"""One loop's side of the process lane: its waiting jobs, the workers it has borrowed, and who gets what next.

Everything here runs on that loop's thread. A worker is borrowed while jobs of this loop are in it and given back when
they aren't, so that pytest's loop per test finds warm workers, and two loops in two threads share one set.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._core.waitqueue import WaitQueue
from . import wire
from .base import DONE, QUEUED, RUNNING, Job
from .process_answers import Answers, take_charge, take_value
from .process_deaths import lost, turn_away, unable
from .process_large import receive_in_thread
from .process_looking import GLANCE, LOOK, look
from .process_worker import LONGEST_LOADING, ROUNDS, TooLarge, Worker

if TYPE_CHECKING:
    from .process import ProcessLane

FILL = 0.004
"""Seconds of work to have inside a worker: less idles it for a round trip, more spoils cancelling and fairness."""

LEAST = 10e-6
"""What a job is counted for at least: its way there and back."""

MOST = 512
"""Jobs inside one worker; fewer than ``wire.FLAGS``."""

BULKY_INSIDE = 2


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
        self.promised: deque[Worker] = deque()
        self._dispatch_soon = False
        self.timer: asyncio.TimerHandle | None = None
        self._timer_slow = False
        self._writing: set[Worker] = set()
        self.given_up: Job | None = None
        self.answers = Answers(loop)

    # ---- taking jobs

    def submit(self, job: Job) -> None:
        """Queue *job*; the jobs of one tick go out together."""
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
        while self.promised:
            worker = self.promised.popleft()
            self._adopt(worker)
            if worker.ready:
                self.idle.append(worker)
        if self.lane.closed:
            turn_away(self)
        while self.waiting:
            found = self._next_worker()
            if found is None:
                break
            share = -(-self.waiting // (len(self.idle) + 1)) if not found.jobs else MOST
            if not self._fill(found, share):
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
        borrowed = self._borrow()
        if borrowed is not None and borrowed.ready:
            return borrowed
        # One that is starting will say hello; meanwhile those that run may take a little more.
        if self.lane.wanted_by_others(self):
            return None
        room = [w for w in self.workers if w.jobs and w.load < FILL / 2 and not w.receiving and not w.backlog]
        return min(room, key=lambda w: w.load, default=None)

    def _borrow(self) -> Worker | None:
        starting = sum(1 for worker in self.workers if not worker.ready)
        if starting >= self.waiting:
            return None
        try:
            worker = self.lane.lend(self)
        except OSError as error:  # out of processes, files or memory
            if not self.workers:
                unable(self, error)
            return None  # those that there are will have time again
        if worker is not None:
            self._adopt(worker)
        return worker

    def _adopt(self, worker: Worker) -> None:
        self.workers.add(worker)
        self.loop.add_reader(worker.sock, self._on_readable, worker)
        if worker.backlog:
            self._write_later(worker)
        if not worker.ready and self.timer is None:
            self.look_in(GLANCE)

    def _fill(self, worker: Worker, share: int) -> int:
        """Send up to *share* jobs to *worker*, no more than fill its time; returns how many."""
        if worker.path != sys.path:
            worker.set_up(())
        batch: list[tuple[Any, ...]] = []
        sent = bulky = 0
        while sent < share and bulky < BULKY_INSIDE:
            job = self._take_for(worker)
            if job is None:
                break
            sent += 1
            message = self._put_into(worker, job)
            if type(message[3]) is not wire.Bulk:
                batch.append(message)
                continue
            bulky += 1
            if batch:
                worker.send_jobs(batch)
                batch = []
            worker.send_bulky(message)
        if batch:
            worker.send_jobs(batch)
        if worker.backlog:
            self._write_later(worker)
        if not worker.jobs:
            self.idle.append(worker)
        elif self.timer is None or (self._timer_slow and len(worker.jobs) > 1):
            self.look_in(LOOK)
        return sent

    def _take_for(self, worker: Worker) -> Job | None:
        """Take the next job from the queue if *worker* has time for it."""
        while self.waiting and len(worker.jobs) < MOST and worker.has_flags:
            job = self.queue.take()
            if job is None:
                return None
            if job.state != QUEUED:  # cancelled while it waited
                self.dropped -= 1
            elif worker.jobs and worker.load + job.meter.typical > FILL:
                self.queue.put_back(job, job.priority)
                return None
            else:
                self.waiting -= 1
                return job
        return None

    def _put_into(self, worker: Worker, job: Job) -> tuple[Any, ...]:
        """Book *job* as being inside *worker*; returns the message for it."""
        route, arguments, terms, _ = job.port
        number = worker.next_number()
        cost = max(LEAST, job.meter.typical)
        worker.jobs[number] = (job, cost)
        worker.load += cost
        job.worker = (worker, number)
        spec = None
        if worker.known.get(route.number) != route.version:
            worker.known[route.number] = route.version
            spec = route.spec
        return number, route.number, spec, arguments, terms

    def _write_later(self, worker: Worker) -> None:
        if worker not in self._writing:
            self._writing.add(worker)
            self.loop.add_writer(worker.sock, self._on_writable, worker)

    def _on_writable(self, worker: Worker) -> None:
        if worker.push():
            self._writing.discard(worker)
            self.loop.remove_writer(worker.sock)
            if not worker.jobs:
                self.idle_again(worker)

    # ---- answers

    def _on_readable(self, worker: Worker) -> None:
        if worker.receiving or worker not in self.workers:
            return
        gone = not self._take_in(worker, ROUNDS)
        if gone:
            lost(self, worker)
        elif not worker.receiving:
            self._go_on(worker)
        self.answers.tell()

    def collect(self, worker: Worker) -> bool:
        """Take all the answers that have come, and have them told soon; False when the worker is gone."""
        there = self._take_in(worker, sys.maxsize)
        self.answers.tell_soon()
        return there

    def _take_in(self, worker: Worker, rounds: int) -> bool:
        try:
            for number, status, count, body, start, wall, cpu in worker.receive(rounds):
                if status == wire.HELLO:
                    worker.ready = True
                    continue
                if status == wire.CHARGED:
                    if body is not None:
                        take_charge(worker.jobs.get(number), body)
                    continue
                entry = worker.jobs.pop(number, None)
                worker.heard = number
                worker.finished += status != wire.SKIPPED
                if entry is None:
                    continue
                job, cost = entry
                worker.load -= cost
                if status == wire.SKIPPED:  # it saw the flag, and we thought that it had begun
                    self.requeue(job)
                    continue
                if body is None:
                    job.value = None
                else:
                    take_value(job, status, count, body)
                self._end(job, start, wall, cpu)
        except EOFError:
            return False
        except TooLarge as large:
            receive_in_thread(self, worker, large)
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
        if meter.latest is not None:
            meter.latest.append(wall)
        if cpu >= 0.0:
            meter.cpu += cpu
            meter.cpu_wall += wall
            meter.cpu_calls += 1
        if job.error is not None:
            meter.failures += 1
        if job is not self.given_up:  # else whoever gives it up answers it
            self.answers.ended.append(job)

    def _go_on(self, worker: Worker) -> None:
        """After answers: refill, or give the worker back when nothing is left for it."""
        if worker.jobs:
            if self.waiting and worker.load < FILL / 2 and not worker.backlog and not self.lane.wanted_by_others(self):
                self._fill(worker, MOST)
            return
        if not worker.ready or worker.at_home or self._still_loading(worker):
            return
        worker.load = 0.0
        if self.lane.wanted_by_others(self):
            self._give_back(worker)
            if self.waiting:
                self.dispatch()  # no worker now, but a place in the line for one
            return
        if worker not in self.idle:
            self.idle.append(worker)
        if self.waiting:
            self.dispatch()
        else:
            # Not at once: a caller that calls again in its next step finds the worker still here.
            self.loop.call_soon(self._give_back_idle)

    def _still_loading(self, worker: Worker) -> bool:
        """Let a worker end the import that a cancelled job had begun, for the next call's sake; not for ever."""
        if not worker.is_loading():
            return False
        assert worker.loading is not None
        if time.monotonic() - worker.loading[1] > LONGEST_LOADING:
            self.end_worker(worker)
        else:
            self.loop.call_later(LOOK, self.idle_again, worker)
        return True

    def _give_back_idle(self) -> None:
        if self.waiting:
            return
        idle, self.idle = self.idle, []
        for worker in idle:
            if worker in self.workers and not worker.jobs:
                self._give_back(worker)
        if not any(worker.jobs for worker in self.workers):
            for worker in list(self.workers):
                if not worker.receiving and not worker.is_loading():
                    self._give_back(worker)

    def _give_back(self, worker: Worker) -> None:
        if worker in self._writing:
            return  # it goes when it has taken what was meant for it
        self.let_go(worker)
        self.lane.take_back(worker)

    def let_go(self, worker: Worker) -> None:
        """Have nothing more to do with *worker*."""
        self.workers.discard(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        self.loop.remove_reader(worker.sock)
        if worker in self._writing:
            self._writing.discard(worker)
            self.loop.remove_writer(worker.sock)

    def let_all_go(self) -> None:
        """The lane is closed and this loop doesn't run: let go of every worker in its place."""
        for worker in list(self.workers):
            self.let_go(worker)
            worker.close()

    def idle_again(self, worker: Worker) -> None:
        """Give *worker* something to do, or give it back, if nothing is in it."""
        if worker in self.workers and not worker.jobs and not worker.receiving:
            self._go_on(worker)

    def waiting_by_priority(self) -> Mapping[str, int]:
        """Count those that wait, without those cancelled meanwhile; from any thread."""
        return {
            priority: sum(job.state == QUEUED for job in list(line)) for priority, line in self.queue.classes.items()
        }

    def take_back_others(self, worker: Worker, running: int) -> None:
        """Put what *worker* has not begun, but for job *running*, back at the head of the queue."""
        # What is neither begun nor taken back was run before, or is being skipped: its answer is in the socket.
        for number in reversed([number for number in worker.jobs if number != running and worker.take_back(number)]):
            job, cost = worker.jobs.pop(number)
            worker.load -= cost
            self.requeue(job)

    def requeue(self, job: Job) -> None:
        """Put *job*, sent and never begun, at the head of the queue."""
        job.worker = None
        job.state = QUEUED
        self.queue.put_back(job, job.priority)
        self.waiting += 1
        if not self._dispatch_soon:
            self._dispatch_soon = True
            self.loop.call_soon(self.dispatch)

    def end_worker(self, worker: Worker) -> None:
        """Kill *worker*; whoever waits gets another at once, and the next spare begins to get warm."""
        worker.kill()
        self.let_go(worker)
        self.lane.bury(worker)
        if self.waiting:
            self.dispatch()
            # Not only when a body is seen to run long: where one hung, the next may be next (hung_processes).
            self.lane.want_spare()

    # ---- looking after what runs

    def look_in(self, seconds: float) -> None:
        """See after the workers in so many seconds, whenever it was to be."""
        if self.timer is not None:
            self.timer.cancel()
        self._timer_slow = seconds > LOOK
        self.timer = self.loop.call_later(seconds, look, self)

    def refresh(self, job: Job) -> None:
        """Read from the worker's page whether *job*'s body has begun, and when."""
        if job.worker is not None:
            worker, number = job.worker
            start = worker.begun_at(number)
            if start:
                job.started_at, job.state = start, RUNNING
