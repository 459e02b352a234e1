"""How a call is given up: what waits is dropped, what sits in a worker is taken back, what runs is killed with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .._core.errors import Work
from .base import DONE, DROPPED, KILLED, QUEUED, Job
from .process_deaths import lost
from .process_worker import Worker

if TYPE_CHECKING:
    from .process_desk import Desk


def cancel(desk: Desk, job: Job) -> Work:
    """See ``Lane.cancel``: what waits is dropped, what runs is killed with its worker."""
    if job.state == DONE:
        return "finished"
    if job.state == KILLED:
        return "stopped"
    if job.worker is None:
        _drop_queued(desk, job)
        return "not started"
    worker, number = job.worker
    if worker.take_back(number):
        if worker.preparing() == number:
            worker.loading = (number, time.monotonic())
        _forget(desk, worker, number)
        _drop(job)
        return "not started"
    return _stop(desk, job, worker, number)


def _stop(desk: Desk, job: Job, worker: Worker, number: int) -> Work:
    """End *job*, whose body had begun when last seen: look what has come of it meanwhile, else kill its worker."""
    desk.take_back_others(worker, number)
    if not worker.receiving:
        desk.given_up = job
        gone = not desk.collect(worker)
        desk.given_up = None
        if gone:
            _forget(desk, worker, number)
            lost(desk, worker)
        elif not worker.jobs:  # nothing more will come that could wake us
            desk.loop.call_soon(desk.idle_again, worker)
    if job.worker is None and job.state == QUEUED:  # it was skipped, and put back
        _drop_queued(desk, job)
        return "not started"
    if job.state == DONE or worker.receiving == number:
        return "finished"
    if worker.begun() != number:  # its answer lies behind a large one that is being read
        _forget(desk, worker, number)
        job.state = DONE
        return "finished"
    _forget(desk, worker, number)
    job.state = KILLED
    job.ended_at = time.monotonic()
    job.started_at = worker.begun_at(number) or job.started_at
    job.port = job.worker = None
    desk.lane.killed += 1
    if worker in desk.workers:
        desk.end_worker(worker)
    return "stopped"


def _drop_queued(desk: Desk, job: Job) -> None:
    if job.state == QUEUED:
        desk.waiting -= 1
        desk.dropped += 1
        _drop(job)
        if desk.dropped > 1000 and desk.dropped > desk.waiting:
            _sweep(desk)


def _forget(desk: Desk, worker: Worker, number: int) -> None:
    entry = worker.jobs.pop(number, None)
    if entry is not None:
        worker.load -= entry[1]
        if not worker.jobs:
            desk.loop.call_soon(desk.idle_again, worker)


def _drop(job: Job) -> None:
    job.state = DROPPED
    job.ended_at = time.monotonic()
    job.port = job.worker = None


def _sweep(desk: Desk) -> None:
    for job in desk.queue.drain():
        if job.state == QUEUED:
            desk.queue.put(job, job.priority)
    desk.dropped = 0
