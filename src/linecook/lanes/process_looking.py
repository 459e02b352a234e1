"""Looking after the workers of one loop, some times a second: who is slow, who is stuck, who is dead without a word."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .base import RUNNING
from .process_deaths import lost, silent
from .process_worker import LONGEST_LOADING, Worker

if TYPE_CHECKING:
    from .process_desk import Desk

LOOK, GLANCE = 0.02, 0.25
"""Seconds between looks at workers that hold more than one job, and at workers that hold one."""

LONG = 0.01
"""A body that runs longer than this doesn't keep others waiting behind it in the same worker."""


def look(desk: Desk) -> None:
    """See after every worker of *desk*, and come again as long as there is something to see."""
    desk.timer = None
    several = busy = False
    for worker in list(desk.workers):
        if not worker.ready:
            busy = True
            if desk.waiting and time.monotonic() - worker.born > LONGEST_LOADING:
                silent(desk, worker)
                continue
        if not worker.jobs or worker.receiving:
            continue
        busy = True
        _look_at(desk, worker, time.monotonic())
        several = several or len(worker.jobs) > 1
        if worker.reap():  # a process that the body forked may hold the socket open
            desk.collect(worker)
            lost(desk, worker)
    if busy:
        desk.look_in(LOOK if several else GLANCE)


def _look_at(desk: Desk, worker: Worker, now: float) -> None:
    """See what *worker* is doing; when it is long about it, others don't wait behind that."""
    begun, preparing, since = worker.doing(now)
    if begun in worker.jobs:
        start = worker.begun_at(begun)
        job = worker.jobs[begun][0]
        job.started_at, job.state = start, RUNNING
        if start and now - start > LONG:
            desk.lane.want_spare()
            _leave_alone(desk, worker, begun, now - start)
    elif preparing in worker.jobs:
        if now - since > LONG:  # a slow import, or large arguments
            _leave_alone(desk, worker, preparing, now - since)
    elif now - since > LONGEST_LOADING and worker.ready:
        # It loads what nobody wants any more, or is stopped: what is in it runs elsewhere.
        desk.take_back_others(worker, 0)
        desk.lane.routes.unlearn(None)
        desk.end_worker(worker)


def _leave_alone(desk: Desk, worker: Worker, number: int, spent: float) -> None:
    """Have nobody wait behind job *number*, which has taken *spent* seconds: neither now nor later."""
    job, cost = worker.jobs[number]
    worker.jobs[number] = job, spent
    worker.load += spent - cost
    if len(worker.jobs) > 1:
        desk.take_back_others(worker, number)
