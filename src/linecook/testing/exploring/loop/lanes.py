"""linecook's lanes under exploration: tools on threads become threads under control, those in processes arrivals.

A runtime that is opened on an explored loop asks it for its lanes (``Runtime.lane``), so the program's tools, their
policies and time-outs run as they are. What a body in a process does is one arrival: it shares no memory with anybody.
"""

from __future__ import annotations

import asyncio
import pickle
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ...._core.context import here
from ...._core.errors import LaneLost, NotPortable, Work
from ....lanes.base import ABANDONED, DONE, DROPPED, KILLED, NEW, QUEUED, RUNNING, Job
from ....lanes.crew import _here
from ....lanes.thread_ending import caught, deliver
from ..mistakes import InjectedFault
from ..threads.threads import ControlledThread
from .arrivals import Arrival, Fault, ThreadStep

if TYPE_CHECKING:
    from .loop import ExploredLoop


class _ExploredLane:
    """What both lanes do: count, and answer on the loop."""

    name: str

    def __init__(self, loop: ExploredLoop) -> None:
        self._loop = loop
        self._under_way: dict[Job, Arrival] = {}

    def _expect(self, job: Job, arrival: Arrival) -> None:
        job.state = QUEUED
        job.queued_at = self._loop.time()
        self._under_way[job] = arrival
        self._loop.expect(arrival)

    def _answer(self, job: Job) -> None:
        self._under_way.pop(job, None)
        self._loop.enqueue(self._deliver, job)

    def _deliver(self, job: Job) -> None:
        nothing: asyncio.Future[None] = self._loop.create_future()
        nothing.set_result(None)
        deliver(deque([job]), 1, nothing)

    def statistics(self) -> Mapping[str, int]:
        """Return how many bodies run and wait."""
        running = sum(job.state == RUNNING for job in self._under_way)
        return {"running": running, "waiting": len(self._under_way) - running}

    def close(self, *, wait: float = 0.0) -> None:
        """Nothing: the schedule ends what is left."""


class ExploredThreadLane(_ExploredLane):
    """Runs each body on a thread of its own, under control."""

    name = "thread"

    def submit(self, job: Job) -> None:
        """Take *job*."""
        thread = ControlledThread(self._run, (job,), name=f"thread of {job.label}")
        self._expect(job, ThreadStep(thread, partial(self._ended, job)))

    def _run(self, job: Job) -> None:
        """Run the body, on its thread."""
        job.state = RUNNING
        job.started_at = self._loop.time() or 1e-9  # 0.0 says that it hasn't begun
        here.frame = job.frame
        _here.worker = worker = _Worker()
        try:
            if job.context is None:
                job.value = job.body(*job.args, **job.kwargs)
            else:
                job.value = job.context.run(job.body, *job.args, **job.kwargs)
        except Exception as error:
            job.error = caught(error, job)
        except BaseException as error:
            if _is_unwinding(error):
                raise
            job.error = caught(error, job)
        finally:
            here.frame = None
            del _here.worker
            worker.end()

    def _ended(self, job: Job, loop: ExploredLoop) -> None:
        job.ended_at = loop.time() or 1e-9
        if job.state == RUNNING:
            job.state = DONE
        self._answer(job)

    def cancel(self, job: Job) -> Work:
        """Give *job* up; a body under way runs on unseen."""
        if job.state in (NEW, QUEUED, DROPPED):
            arrival = self._under_way.pop(job, None)
            if isinstance(arrival, ThreadStep):
                arrival.thread.abandon()
            job.state = DROPPED
            return "not started"
        if job.state == DONE:
            return "finished"
        job.state = ABANDONED
        job.worker = "an explored thread"
        return "abandoned"


class _Worker:
    """What a thread lane's worker is to ``at_thread_end``: here a thread serves one body, and ends with it."""

    def __init__(self) -> None:
        self.endings: list[Any] = []

    def end(self) -> None:
        for ending in reversed(self.endings):
            ending()


def _is_unwinding(error: BaseException) -> bool:
    from ..threads.workers import Unwind

    return isinstance(error, Unwind)


class ExploredProcessLane(_ExploredLane):
    """Runs each body at the moment its answer comes, on copies of function, arguments and result."""

    name = "process"

    def submit(self, job: Job) -> None:
        """Take *job*.

        Raises:
          NotPortable: its function or arguments can't travel to a process.
        """
        try:
            packed = _pickled((job.body, job.args, dict(job.kwargs)))
        except Exception as error:
            raise NotPortable(f"a call of {job.label} can't be sent to a process: {error}") from error
        self._expect(job, _InProcess(self, job, packed))

    def cancel(self, job: Job) -> Work:
        """Give *job* up; its process would be killed."""
        if job.state == DONE:
            return "finished"
        if job.state in (KILLED, DROPPED):
            return "stopped" if job.state == KILLED else "not started"
        self._under_way.pop(job, None)
        job.state = KILLED
        return "stopped"

    def run(self, job: Job, packed: bytes) -> None:
        """Run the body, and answer."""
        body, args, kwargs = pickle.loads(packed)
        job.started_at = job.ended_at = self._loop.time() or 1e-9
        before, here.frame = here.frame, job.frame
        try:
            job.value = _copied(body(*args, **kwargs), job)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            job.error = caught(error, job)
        finally:
            here.frame = before
        job.state = DONE
        self._answer(job)

    def die(self, job: Job) -> None:
        """Answer that the worker died under the body."""
        error = LaneLost(
            f"the worker died under {job.label}: a fault injected by the explorer", call=job.frame, work="stopped"
        )
        error.__cause__ = InjectedFault("a worker's death")
        job.error, job.state = error, DONE
        job.started_at = job.ended_at = self._loop.time() or 1e-9
        self._answer(job)


def _pickled(value: Any) -> bytes:
    import cloudpickle  # only who uses processes pays for it

    library: Any = cloudpickle
    packed: bytes = library.dumps(value)
    return packed


def _copied(value: Any, job: Job) -> Any:
    try:
        return pickle.loads(_pickled(value))
    except Exception as error:
        raise NotPortable(f"the result of {job.label} can't be sent back from a process: {error}") from error


class _InProcess(Arrival):
    """A body in another process."""

    __slots__ = ("_job", "_lane", "_packed")

    faults: tuple[Fault, ...] = ("hang", "late", "twice", "death")

    def __init__(self, lane: ExploredProcessLane, job: Job, packed: bytes) -> None:
        super().__init__(f"process body {job.label}")
        self._lane, self._job, self._packed = lane, job, packed

    def can_come(self) -> bool:
        return self._job.state == QUEUED

    def is_over(self) -> bool:
        return self._job.state != QUEUED

    def arrive(self, loop: ExploredLoop) -> bool:
        self._lane.run(self._job, self._packed)
        return False

    def arrive_faulty(self, loop: ExploredLoop, fault: Fault) -> bool:
        match fault:
            case "death":
                self._lane.die(self._job)
            case "late":
                loop.delay(self)
            case "twice":
                body, args, kwargs = pickle.loads(self._packed)
                body(*args, **kwargs)
                self._lane.run(self._job, self._packed)
            case _:
                pass  # it hangs
        return False
