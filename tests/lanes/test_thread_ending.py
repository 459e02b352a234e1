"""How a body's end is told: the user's error from the user's line, counted once, and only to who still waits."""

import asyncio
import sys
import threading
from collections import deque

import pytest

from linecook._core.meter import Meter
from linecook.errors import BodyExited
from linecook.lanes.base import ABANDONED, DONE, Job
from linecook.lanes.thread_ending import caught, count_cpu, deliver


def ended_job(*, state: int = DONE, value: object = None, error: BaseException | None = None) -> Job:
    job = Job(print, (), {}, meter=Meter("print"), future=asyncio.get_running_loop().create_future(), label="print")
    job.state, job.value, job.error, job.started_at, job.ended_at = state, value, error, 10.0, 10.5
    return job


def deliver_one(job: Job) -> None:
    nothing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    nothing.set_result(None)
    deliver(deque([job]), 1, nothing)


async def test_an_answer_is_counted_and_given() -> None:
    job = ended_job(value=7)
    deliver_one(job)
    assert job.future.result() == 7
    assert (job.meter.calls, job.meter.failures, job.meter.wall) == (1, 0, 0.5)


async def test_a_failure_is_counted_as_one() -> None:
    job = ended_job(error=KeyError("soup"))
    deliver_one(job)
    assert isinstance(job.future.exception(), KeyError)
    assert (job.meter.calls, job.meter.failures) == (1, 1)


async def test_a_late_end_is_counted_and_answers_nobody() -> None:
    job = ended_job(state=ABANDONED, value=7)
    deliver_one(job)
    assert not job.future.done()
    assert job.meter.calls == 1


async def test_no_more_are_answered_than_asked_for() -> None:
    jobs = deque(ended_job(value=number) for number in range(3))
    first, nothing = jobs[0], asyncio.get_running_loop().create_future()
    nothing.set_result(None)
    deliver(jobs, 1, nothing)
    assert first.future.result() == 0
    assert [job.future.done() for job in jobs] == [False, False]


async def test_an_error_begins_at_the_line_below_the_one_that_caught_it() -> None:
    def body() -> None:
        raise KeyError("soup")

    try:
        body()
    except KeyError as error:
        trace = caught(error, ended_job()).__traceback__
    assert trace is not None
    assert trace.tb_frame.f_code is body.__code__


@pytest.mark.parametrize("kind", [StopIteration, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
async def test_an_exit_is_contained(kind: type[BaseException]) -> None:
    exited = caught(kind("bye"), ended_job())
    assert isinstance(exited, BodyExited)
    assert isinstance(exited.__cause__, kind)


async def test_an_exit_that_cannot_be_shown_is_contained_too() -> None:
    class Rude(SystemExit):
        def __repr__(self) -> str:
            raise ValueError("no")

    assert "print raised Rude" in str(caught(Rude(), ended_job()))


async def test_no_cpu_time_is_lost_between_threads() -> None:
    job = ended_job()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [count_cpu(job, 0.25) for _ in range(500)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert (job.meter.cpu_calls, job.meter.cpu, job.meter.cpu_wall) == (2000, 500.0, 1000.0)
