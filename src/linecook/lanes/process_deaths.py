"""When a worker dies: who is told what, and who runs elsewhere.

The one whose body ran in it gets ``LaneLost``; those that had not begun go back to the head of the queue.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from .._core.errors import LaneLost, Refused, Work
from .base import DONE, QUEUED, Job, answer
from .process_answers import exitcode, reason
from .process_worker import Worker

if TYPE_CHECKING:
    from .process_desk import Desk

MOST_SILENT = 2
"""So many workers may fail to greet; then whoever waits is told."""

LOADING_DEATHS = 3
"""So many workers may die while they load one and the same job; then it is the job's fault."""


def lost(desk: Desk, worker: Worker) -> None:
    """The socket ended: find out why, tell the one whose body ran, send the others elsewhere."""
    desk.let_go(worker)
    _inquire(desk, worker, 0)


def _inquire(desk: Desk, worker: Worker, tries: int) -> None:
    # The socket closes a moment before the exit code is there; a body may also have closed the socket and live on.
    if not worker.reap():
        if tries < 20:
            desk.loop.call_later(0.001 * (tries + 1) if tries < 5 else 0.01, _inquire, desk, worker, tries + 1)
            return
        worker.kill()
    _settle(desk, worker)


def _settle(desk: Desk, worker: Worker) -> None:
    jobs = worker.jobs
    worker.jobs = {}
    begun, preparing = worker.begun(), worker.preparing()
    barren = desk.lane.died(worker, begun in jobs or preparing in jobs)
    for number in reversed(jobs):
        job = jobs[number][0]
        if number == preparing:
            desk.lane.routes.unlearn(job.port[0].module)
        if number == begun:
            job.started_at = worker.begun_at(number) or job.started_at
            job.meter.calls += 1
            job.meter.failures += 1
            fail(job, _loss(desk, worker, job, "under"))
        elif number == preparing and job.port[3] + 1 >= LOADING_DEATHS:
            fail(job, _loss(desk, worker, job, "each time it loaded the function and arguments of"))
        else:
            job.port = (*job.port[:3], job.port[3] + (number == preparing))
            desk.requeue(job)
    if barren:
        _give_up(desk, worker)
    elif desk.waiting:
        desk.dispatch()


def fail(job: Job, error: Exception) -> None:
    """Answer *job* with *error*."""
    job.error = error
    job.state = DONE
    job.ended_at = time.monotonic()
    job.port = job.worker = None
    answer(job)


def _loss(desk: Desk, worker: Worker, job: Job, when: str) -> LaneLost:
    if desk.lane.closed:
        text = f"the process lane was closed under {job.label or 'a call'}"
    else:
        text = (
            f"the worker process (pid {worker.pid}) died {when} {job.label or 'a call'}: {reason(worker)}. Only this "
            "call is lost; calls that had not begun in that worker run in another."
        )
    work: Work = "stopped" if worker.begun_at(worker.begun()) and when == "under" else "not started"
    return LaneLost(text, call=job.frame, work=work, exitcode=exitcode(worker))


def silent(desk: Desk, worker: Worker) -> None:
    """*worker* has not greeted for so long that it never will: end it, and try another; not for ever."""
    desk.lane.routes.unlearn(None)
    desk.lane.silent += 1
    if desk.lane.silent >= MOST_SILENT:
        seconds = time.monotonic() - worker.born
        _turn_down(
            desk, f"worker processes start and say nothing, the last for {seconds:.0f} s. Is the machine stalled?"
        )
    desk.end_worker(worker)


def unable(desk: Desk, error: OSError) -> None:
    """No worker can be started, and there is none: whoever waits is told."""
    _turn_down(desk, f"no worker process can be started: {error}. Look at this user's limits (ulimit -a) and at memory")


def _turn_down(desk: Desk, why: str) -> None:
    for job in _empty_queue(desk):
        fail(job, LaneLost(f"{job.label or 'a call'} could not run: {why}", call=job.frame, work="not started"))


def _give_up(desk: Desk, worker: Worker) -> None:
    for job in _empty_queue(desk):
        text = (
            f"{job.label or 'a call'} could not run: worker processes die before they run anything, the last of "
            f"{desk.lane.barren}: {reason(worker)}. See what they wrote to stderr; try: {sys.executable} -c pass"
        )
        fail(job, LaneLost(text, call=job.frame, work="not started", exitcode=exitcode(worker)))


def turn_away(desk: Desk) -> None:
    """The lane is closed: whoever still waits is told."""
    for job in _empty_queue(desk):
        text = f"{job.label or 'a call'} was refused: the process lane was closed while it waited"
        fail(job, Refused(text, call=job.frame))


def _empty_queue(desk: Desk) -> list[Job]:
    jobs = [job for job in desk.queue.drain() if job.state == QUEUED]
    desk.waiting = desk.dropped = 0
    return jobs
