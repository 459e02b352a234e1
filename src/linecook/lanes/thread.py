"""The thread lane: blocking bodies on daemon threads of our own, so that the loop never waits and nothing starves.

How a call travels: ``submit`` queues the job and wakes at most one worker; that worker takes job after job. Before a
body that isn't known to be short it wakes a sibling (if more jobs wait) and the loop (if results wait), so nothing
stands behind a blocking call; before a short one it does neither, and one wake serves the whole batch: 44 wakes of the
loop for 40,000 calls (benchmarks: thread_noop). The crew's monitor covers what that guess gets wrong.

A thread can't be stopped. A body that is given up is *abandoned*: its worker is counted as lost, named, replaced when
work waits, and rejoins when the body ends.

Who owns a job: ``_claims`` maps it to its worker. The worker enters itself with ``setdefault`` and leaves with ``pop``;
``cancel`` enters None with ``setdefault``, or removes the worker with ``pop``. Both are atomic for keys that hash by
identity, with the GIL (no Python code runs inside) and without it (each is one critical section of the dict), so of a
worker and a canceller exactly one wins each step, and the hot path takes no lock. Builds without the GIL are untested.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Mapping

from .._core.context import here
from .._core.errors import Work
from .._core.events import Events
from .._core.waitqueue import WaitQueue
from .base import ABANDONED, DONE, DROPPED, NEW, QUEUED, RUNNING, Delivery, Job
from .crew import DUE, STALLED, Crew, Worker
from .crew import at_thread_end as at_thread_end
from .thread_abandoned import rows_of, tell_abandoned, tell_returned
from .thread_ending import caught, count_cpu, deliver
from .thread_refusals import check_bounds, closed, no_thread, queue_full, threads_lost

SHORT = 0.0002
"""Seconds: a body whose moving average is below runs without hurry (to wake a thread costs some 50 µs)."""

_FORGOTTEN = ("a dropped job that has left the queue",)
_lanes: weakref.WeakSet[ThreadLane] = weakref.WeakSet()


class ThreadLane:
    """Run bodies on threads; one object may serve several event loops, in several threads, at once.

    Args:
      threads: how many threads may work before the lane has to grow, ≥ 1; started when needed.
      max_threads: how many may work at most, ≥ ``threads``; abandoned ones don't count.
      max_queued: how many jobs may wait, ≥ 1; one more is refused.
      max_abandoned: how many threads may be lost to bodies that were given up, ≥ 1; at that number every new job is
        refused until one comes back.
      events: told of ``lane.grew``, ``lane.abandoned`` and ``lane.returned``; None for nobody.

    Raises:
      ValueError: a number is out of its range; the message names it.
    """

    name = "thread"

    def __init__(
        self,
        *,
        threads: int = 64,
        max_threads: int = 1024,
        max_queued: int = 100_000,
        max_abandoned: int = 1024,
        events: Events | None = None,
    ) -> None:
        check_bounds(threads, max_threads, max_queued, max_abandoned)
        self.threads = threads
        self.max_threads = max_threads
        self.max_queued = max_queued
        self.max_abandoned = max_abandoned
        self.events = events
        self._closed = False
        self._reset()
        _lanes.add(self)

    def _reset(self) -> None:
        """Start empty: when made, and in a forked child, where none of the threads lives on."""
        self._lock = threading.Lock()
        self._waiting: WaitQueue[Job] = WaitQueue()
        self._dropped = 0  # given up before they began, and still in the queue as empty shells
        self._room = 0
        self._claims: dict[Job, Worker | None] = {}
        self._abandoned: dict[Worker, Job] = {}
        self._refusing = self._closed  # or as many threads are lost as may be
        self._ports: dict[asyncio.AbstractEventLoop, Delivery] = {}
        self._crew = Crew(
            threads=self.threads,
            max_threads=self.max_threads,
            queue=self._waiting,
            serve=self._serve_to_the_end,
            flush=self._flush,
            events=self.events,
        )

    def submit(self, job: Job) -> None:
        """Take *job* for the running loop; never blocks.

        Raises:
          Refused: the lane is closed, ``max_queued`` jobs wait, or ``max_abandoned`` threads are lost.
        """
        loop = asyncio.get_running_loop()
        port = job.port = self._ports.get(loop) or self._open_port(loop)
        if port.hushed:
            self._line_up(job)
            return
        self.enter(job)
        # One wake a turn: threads woken while 10,000 jobs are still being queued take the interpreter from the loop
        # that queues them, and the last is queued a third later (benchmarks: hung_tools).
        port.hushed = True
        loop.call_soon(self._end_turn, port)

    def _end_turn(self, port: Delivery) -> None:
        port.hushed = False
        if self._waiting and not self._crew.stirred:
            self._crew.stir()

    def enter(self, job: Job) -> None:
        """Take *job*, whose port is set, from any thread; raises as ``submit`` does."""
        self._line_up(job)
        crew = self._crew
        if not crew.stirred and not crew.stir() and self.drop(job):
            raise no_thread(job)

    def _line_up(self, job: Job) -> None:
        # The bound is counted only when the room found at the last count is used up: counting costs 0.3 µs of some
        # 2 (benchmarks: thread_noop). Two loops at once may lose a decrement and overshoot by a few jobs.
        if self._room <= 0 or self._refusing:
            self._make_room(job)
        self._room -= 1
        job.queued_at = time.monotonic()
        job.state = QUEUED
        self._waiting.classes[job.priority].append(job)  # put, without the call

    def cancel(self, job: Job) -> Work:
        """Give *job* up, now; its future is the caller's to answer. Never blocks.

        Returns:
          ``"not started"`` (it left the queue), ``"abandoned"`` (its thread runs on, counted as lost until the body
          ends; its result will be dropped), or ``"finished"``. A second cancel gives the first one's answer.
        """
        if job.state == ABANDONED:
            return "abandoned"
        if self.drop(job):
            return "not started"
        return "abandoned" if self._abandon(job) else "finished"

    def drop(self, job: Job) -> bool:
        """Take *job* back if its body never began; say whether that is so. From any thread."""
        if job.state in (NEW, DROPPED):
            return True
        if self._claims.setdefault(job, None) is not None:
            return False
        if job.ended_at:  # it had left, and we have just put it back
            self._claims.pop(job, None)
            return False
        with self._lock:
            if job.body is not _nothing:  # else dropped before, and a worker is just finding that out
                self._dropped += 1
                self._room = 0
            job.state = DROPPED
            job.body, job.kwargs, job.context = _nothing, {}, None
            if job.args is _FORGOTTEN:  # another thread dropped it as well, and we have just put its claim back
                self._claims.pop(job, None)
            else:
                job.args = ()
        if self._dropped > 1024 and self._dropped * 2 > len(self._waiting):
            self._sweep()
        return True

    def running(self) -> list[tuple[Job, int]]:
        """Return the jobs under way, each with the ident of its thread; abandoned ones aren't among them."""
        return [(job, worker.ident) for job, worker in self._claims.copy().items() if worker is not None]

    def abandoned(self) -> list[tuple[str, float, str, str]]:
        """Return what runs on unseen: label, seconds running, thread name, current line of the user's code."""
        return rows_of(self._abandoned.copy())

    def statistics(self) -> Mapping[str, int]:
        """Return what the lane holds, and its bounds.

        Counts: ``threads`` (idle ones included, abandoned ones not), ``idle``, ``running``, ``waiting`` and the same by
        priority (where jobs just given up may still be counted), ``abandoned``; ``threads_allowed``: how far it has
        grown; and the four bounds as it was made with, ``threads`` under the name ``start_threads``.
        """
        crew, counts = self._crew, self._waiting.counts()
        return {
            "threads": crew.working,
            "threads_allowed": crew.bound,
            "idle": len(crew.idle),
            "running": len(self.running()),
            "waiting": max(0, sum(counts.values()) - self._dropped),
            **{f"waiting_{priority}": count for priority, count in counts.items()},
            "abandoned": len(self._abandoned),
            "start_threads": self.threads,
            "max_threads": self.max_threads,
            "max_queued": self.max_queued,
            "max_abandoned": self.max_abandoned,
        }

    def close(self, *, wait: float = 0.0) -> None:
        """Send idle workers home and refuse new jobs; what waits or runs is still served. Never waits for a body.

        Args:
          wait: seconds, ≥ 0, for workers without a body to close what they opened (``at_thread_end``); 0: not at all.
        """
        with self._lock:
            self._closed = self._refusing = True
        self._crew.close(wait, lambda: set(self._claims.copy().values()))

    def _serve_to_the_end(self, me: Worker) -> None:
        """Serve; an exception thrown in between two lines (``PyThreadState_SetAsyncExc``) is its job's end."""
        try:
            self._serve(me)
        except BaseException as error:
            for job, worker in self._claims.copy().items():
                if worker is me and self._claims.pop(job, None) is not None:
                    job.error, job.ended_at, job.state = caught(error, job), time.monotonic(), DONE
                    job.port.put(job)
            with self._lock:
                self._abandoned.pop(me, None)
                self._refuse_if_full()
            self._flush()
            raise

    def _serve(self, me: Worker) -> None:  # noqa: C901
        """Be a worker: take job after job until the crew sends this thread home.

        One function, since a call costs 0.1 µs of the 1 µs spent here (benchmarks: thread_noop).
        """
        crew, claims, waiting = self._crew, self._claims, self._waiting
        take, clock, cpu_clock = waiting.take, time.monotonic, time.thread_time
        owed: Delivery | None = None  # where results of ours may still wait for company
        owed_at = cpu = 0.0
        turn = 0
        crew.stirred = False
        while True:
            job = take()
            if job is None:
                here.frame = None  # only now: between two jobs it would cost 50 ns a call (thread_noop)
                if owed is not None:
                    me.last_word, owed = owed.wake, None
                if crew.park(me):
                    continue
                return
            job.state = RUNNING  # before the claim: after it, this line could overwrite a canceller's ABANDONED
            if claims.setdefault(job, me) is not me:
                self._forget(job)
                continue
            meter = job.meter
            typical = meter.typical
            turn += 1
            sampled = not turn & 15
            if typical > SHORT:
                sampled = sampled or typical > STALLED or meter.calls < 20  # one of the first isn't known to be short
                if not crew.stirred and waiting and (crew.idle or crew.working < crew.bound or not crew.watching):
                    crew.stir()
                if owed is not None:
                    owed.wake()
                    owed = None
            elif not crew.watching and (owed is not None or waiting):
                crew.watch()
            if sampled:
                cpu = cpu_clock()
            job.started_at = started = clock()
            here.frame = job.frame
            try:
                if job.context is None:
                    job.value = job.body(*job.args, **job.kwargs)
                elif job.kwargs:
                    job.value = job.context.run(job.body, *job.args, **job.kwargs)
                else:
                    job.value = job.context.run(job.body, *job.args)
            except BaseException as error:
                job.error = caught(error, job)
            job.ended_at = crew.last_end = ended = clock()
            if sampled:
                count_cpu(job, cpu_clock() - cpu)
            # Threads may overwrite each other's average: each value written is a recent average, which is enough.
            meter.typical = typical + (ended - started - typical) * 0.25
            if claims.pop(job, None) is None:
                here.frame = None
                self._let_late_result_go(job, me)
                if crew.regain(me):
                    continue
                return
            job.state = DONE
            port: Delivery = job.port
            if owed is not port:
                if owed is not None:
                    owed.wake()
                owed, owed_at = port, ended
            (port.urgent if job.priority == "interactive" else port.done).append(job)  # put, without the call
            job = None  # nobody keeps a job by keeping a thread: test_a_call_leaves_nothing_behind_in_its_thread
            if ended - owed_at > DUE:
                port.wake()
                owed_at = ended
            del port  # nor a loop

    def _forget(self, job: Job) -> None:
        """Let go of a job that was dropped while it waited."""
        with self._lock:
            job.state = DROPPED
            job.args = _FORGOTTEN
            self._claims.pop(job, None)
            self._dropped -= 1

    def _abandon(self, job: Job) -> bool:
        """Give up a body under way; False when it has just ended."""
        # Under the lock: the worker, should its body end right now, must find the whole of this done, to undo it.
        with self._lock:
            worker = self._claims.pop(job, None)
            if worker is None:
                return False
            job.state = ABANDONED
            job.worker = worker.thread.name
            job.meter.typical = 1.0  # whatever it was, it isn't known to be short any more
            self._abandoned[worker] = job
            self._refuse_if_full()
            self._crew.lose(worker)
        tell_abandoned(self.events, job, worker)
        if self._waiting and not self._crew.stirred:
            self._crew.stir()
        return True

    def _let_late_result_go(self, job: Job, worker: Worker) -> None:
        """A body that was given up has ended: tell, and have it counted, but answer nobody."""
        with self._lock:
            self._abandoned.pop(worker, None)
            self._refuse_if_full()
        tell_returned(self.events, job, worker)
        job.value = None
        job.port.put(job)
        job.port.wake()

    def _open_port(self, loop: asyncio.AbstractEventLoop) -> Delivery:
        for other in list(self._ports):
            if other.is_closed():
                self._ports.pop(other, None)
        return self._ports.setdefault(loop, Delivery(loop, deliver))

    def _flush(self) -> None:
        """Wake every loop that has results waiting; a body that outlasts its average is not known to be short any more.

        Else one hung call in a hundred would stop one thread after the other, each until the monitor looks again
        (benchmarks: hung_tools).
        """
        late = time.monotonic() - DUE
        for job in self._claims.copy():
            if job.started_at and job.started_at < late and not job.ended_at and job.meter.typical <= SHORT:
                job.meter.typical = 1.0
        for port in list(self._ports.values()):
            port.wake()

    def _make_room(self, job: Job) -> None:
        """Count how many jobs may still be queued, or refuse *job*."""
        if self._closed:
            raise closed(job)
        if len(self._abandoned) >= self.max_abandoned:
            raise threads_lost(job, self.max_abandoned, self._abandoned.copy().values())
        self._room = self.max_queued - len(self._waiting) + self._dropped
        if self._room <= 0:
            waiting, at_work = self.max_queued - self._room, [other for other, _ in self.running()]
            raise queue_full(job, waiting, self.max_queued, self._crew.working, at_work)

    def _refuse_if_full(self) -> None:
        """Keep up to date whether new jobs are refused; under the lock."""
        self._refusing = self._closed or len(self._abandoned) >= self.max_abandoned

    def _sweep(self) -> None:
        """Throw the shells of dropped jobs out of the queue, so that many cancels can't fill the memory."""
        kept: list[Job] = []
        for _ in range(len(self._waiting)):
            job = self._waiting.take()
            if job is None:
                break
            if job.state == DROPPED:
                self._forget(job)
            else:
                kept.append(job)
        for job in kept:
            self._waiting.put(job, job.priority)
        if kept and not self._crew.stirred:
            self._crew.stir()


def _nothing() -> None:
    """The body of a job that was dropped: it holds nothing of the user's."""


def _after_fork_in_child() -> None:
    for lane in list(_lanes):
        lane._reset()


os.register_at_fork(after_in_child=_after_fork_in_child)
