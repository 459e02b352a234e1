"""What a worker's answer means (a value, the body's exception, or why there is neither), and how callers are told."""

from __future__ import annotations

import asyncio
import logging
import pickle
import signal
from collections import deque
from typing import Any

from .._core.account import charge_to
from .._core.endings import contained
from .._core.errors import NotPortable
from .._core.purse import Charge
from . import wire
from .base import SLICE, AwaitedJob, Job, answer
from .process_worker import UNKNOWN, Worker

_log = logging.getLogger("linecook")


class Answers:
    """What has ended on one loop and whose callers are still to be told.

    Told after the reading and not in it: a caller's next step may cancel another call, which reads too.

    Attributes:
      ended: those jobs, first ended first.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ended: deque[Job] = deque()
        self._loop = loop
        self._telling = False
        self._nothing: asyncio.Future[None] = loop.create_future()
        self._nothing.set_result(None)

    def tell_soon(self) -> None:
        """Tell them in the loop's next turn: a caller's next step can't run inside another's."""
        if self.ended and not self._telling:
            self._telling = True
            self._loop.call_soon(self._tell)

    def tell(self) -> None:
        """Tell them now, unless that is under way; to be called by the loop itself."""
        if not self._telling:
            self._tell()

    def _tell(self) -> None:
        """A slice at a time, so that the loop serves others in between."""
        self._telling = True
        ended, nothing = self.ended, self._nothing
        try:
            for _ in range(min(len(ended), SLICE)):
                job = ended.popleft()
                if isinstance(job, AwaitedJob):
                    job.answer(nothing)
                else:
                    answer(job)
        finally:  # a step may raise SystemExit through us
            self._telling = False
            self.tell_soon()


def take_value(job: Job, status: int, count: int, body: memoryview) -> None:
    """Rebuild what a worker answered into ``job.value`` or ``job.error``."""
    try:
        value = pickle.loads(body) if not count else wire.unpack(body, count)
    except Exception as problem:
        job.error = unrebuilt(job, problem)
        return
    if status == wire.OK:
        job.value = value
    elif status == wire.UNPORTABLE:
        job.error = NotPortable(
            f"the result of {job.label} can't be sent back from its process: it{value}. Return plain data "
            "(numbers, text, dataclasses), or use lane='thread'."
        )
    else:
        from .worker_errors import decode

        error = decode(value, job.label)
        if status == wire.UNLOADABLE:
            job.error = NotPortable(f"{job.label} or its arguments can't be loaded in a worker process: {error!r}")
            job.error.__cause__ = error
        else:
            job.error = contained(error, job.label, job.frame)


def take_charge(entry: tuple[Job, float] | None, body: memoryview) -> None:
    """Count what a body says that it has used; *entry* is its job, None when that has ended."""
    frame: Any = None if entry is None else entry[0].frame
    charge = Charge(*pickle.loads(body))
    if frame is None:  # of a thread that outlived its body
        _log.warning("%r came from a worker process for a call that had ended: nobody keeps count of it", charge)
        return
    charge_to(frame, charge, None if frame.runtime is None else frame.runtime.events)


def unrebuilt(job: Job, error: Exception) -> NotPortable:
    """Return the error for a result that arrived and couldn't be unpickled."""
    problem = NotPortable(
        f"the result of {job.label} can't be rebuilt in this process: {type(error).__name__}: {error}. Return plain "
        "data, or use lane='thread'."
    )
    problem.__cause__ = error
    return problem


def exitcode(worker: Worker) -> int | None:
    """Return the worker's exit code; None when somebody else collected it."""
    return None if worker.exitcode == UNKNOWN else worker.exitcode


def reason(worker: Worker) -> str:
    """Say what *worker* died of, as the end of a sentence."""
    code = exitcode(worker)
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
