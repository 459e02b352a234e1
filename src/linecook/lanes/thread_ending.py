"""How a body's end on a thread is told: its error made fit to travel, its times counted, its caller answered."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque

from .._core.endings import contained
from .._core.errors import BodyExited
from .base import DONE, AwaitedJob, Job, answer

_cpu_lock = threading.Lock()


def caught(error: BaseException, job: Job) -> BaseException:
    """Make *error* fit to be delivered; its traceback begins at the body.

    The lane's own frame says nothing to the user, and would keep the worker's locals alive.
    """
    try:
        trace = error.__traceback__
        if trace is not None and trace.tb_next is not None:
            error = error.with_traceback(trace.tb_next)
        return contained(error, job.label, job.frame)
    except BaseException:  # its own repr fails
        return BodyExited(
            f"the body of {job.label} raised {type(error).__name__}, which can't be shown", call=job.frame
        )


def count_cpu(job: Job, cpu: float) -> None:
    """Count *cpu* seconds for *job*'s body, on the worker's thread: under a lock, since many write to one meter."""
    meter = job.meter
    with _cpu_lock:
        meter.cpu += cpu
        meter.cpu_wall += job.ended_at - job.started_at
        meter.cpu_calls += 1


def deliver(done: deque[Job], most: int, nothing: asyncio.Future[None]) -> None:
    """Count the first *most* jobs of *done* and answer them, unless they were given up; on their loop's thread.

    A meter belongs to one runtime, and so to one loop: its totals have a single writer, with the GIL or without.
    """
    for _ in range(most):
        job = done.popleft()
        meter = job.meter
        meter.calls += 1
        meter.wall += job.ended_at - job.started_at
        if meter.latest is not None:
            meter.latest.append(job.ended_at - job.started_at)
        if job.error is not None:
            meter.failures += 1
        if job.state == DONE:
            if isinstance(job, AwaitedJob):
                job.answer(nothing)
            else:
                answer(job)


def _after_fork_in_child() -> None:
    global _cpu_lock
    _cpu_lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
