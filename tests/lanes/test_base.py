"""What lanes share: answers reach the loop that waits, once, however many threads bring them."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Generator
from contextvars import ContextVar
from typing import Any

import pytest

from linecook._core.context import Frame
from linecook._core.meter import Meter
from linecook.lanes.base import NEW, AwaitedJob, Delivery, Job, answer


def job_for(loop: asyncio.AbstractEventLoop, value: object = None, error: BaseException | None = None) -> Job:
    job = Job(print, (), {}, meter=Meter("print"), future=loop.create_future())
    job.value, job.error = value, error
    return job


def answer_all(done: deque[Job], most: int, nothing: asyncio.Future[None]) -> None:
    for _ in range(most):
        answer(done.popleft())


class Waiting:
    """An awaitable that waits for a job itself."""

    def __init__(self, job: AwaitedJob) -> None:
        self.job = job

    def __await__(self) -> Generator[Any, None, Any]:
        yield self.job
        if self.job.error is not None:
            raise self.job.error
        return self.job.value


def awaited_job() -> AwaitedJob:
    loop = asyncio.get_running_loop()
    return AwaitedJob(print, (), {}, Meter("print"), loop, "print", Frame(), None, "normal")


async def wait_for(job: AwaitedJob) -> Any:
    return await Waiting(job)


def ended_with_none() -> asyncio.Future[None]:
    nothing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    nothing.set_result(None)
    return nothing


async def test_a_new_job_has_no_times_and_no_answer() -> None:
    job = job_for(asyncio.get_running_loop())
    assert job.state == NEW
    assert (job.queued_at, job.started_at, job.ended_at) == (0.0, 0.0, 0.0)
    assert (job.value, job.error, job.priority) == (None, None, "normal")
    assert not job.future.done()


async def test_an_answer_is_the_value_or_the_error() -> None:
    loop = asyncio.get_running_loop()
    good, bad = job_for(loop, 7), job_for(loop, 7, KeyError("soup"))
    answer(good)
    answer(bad)
    assert good.future.result() == 7
    assert isinstance(bad.future.exception(), KeyError)


async def test_an_answer_nobody_waits_for_is_dropped() -> None:
    loop = asyncio.get_running_loop()
    given_up, answered = job_for(loop, 1), job_for(loop, 2)
    given_up.future.cancel()
    answered.future.set_result("before")
    answer(given_up)
    answer(answered)
    assert given_up.future.cancelled()
    assert answered.future.result() == "before"


async def test_answers_left_together_wake_the_loop_once() -> None:
    loop = asyncio.get_running_loop()
    wakes: list[object] = []
    original = loop.call_soon_threadsafe
    loop.call_soon_threadsafe = lambda *args, **kwargs: (wakes.append(args), original(*args, **kwargs))[1]  # type: ignore[method-assign]
    jobs = [job_for(loop, number) for number in range(100)]
    delivery = Delivery(loop, answer_all)
    delivery.wake()  # nothing is there: nobody is woken
    assert wakes == []

    def bring() -> None:
        for job in jobs:
            delivery.put(job)
            delivery.wake()

    bringer = threading.Thread(target=bring)
    bringer.start()
    bringer.join()  # the loop stands still meanwhile
    assert len(wakes) == 1
    assert await asyncio.wait_for(asyncio.gather(*(job.future for job in jobs)), 5) == list(range(100))


async def test_no_answer_is_lost_between_many_threads_and_the_loop() -> None:
    loop = asyncio.get_running_loop()
    delivery = Delivery(loop, answer_all)
    jobs = [job_for(loop, number) for number in range(2000)]

    def bring(share: list[Job]) -> None:
        for number, job in enumerate(share):
            delivery.put(job)
            delivery.wake()
            if number % 50 == 0:
                time.sleep(0)

    threads = [threading.Thread(target=bring, args=(jobs[part::4],)) for part in range(4)]
    for thread in threads:
        thread.start()
    assert await asyncio.wait_for(asyncio.gather(*(job.future for job in jobs)), 10) == list(range(2000))
    for thread in threads:
        thread.join()


def test_a_closed_loop_is_no_error_and_keeps_nothing() -> None:
    loop = asyncio.new_event_loop()
    delivery = Delivery(loop, answer_all)
    job = job_for(loop, 1)
    loop.close()
    delivery.put(job)
    delivery.wake()
    delivery.wake()
    assert not job.future.done()
    assert not delivery.done


async def test_an_awaited_job_takes_its_task_on_within_the_answer_and_in_its_own_context() -> None:
    desk: ContextVar[int] = ContextVar("desk", default=0)
    job, seen = awaited_job(), list[object]()

    async def agent() -> None:
        desk.set(7)
        seen.append((await Waiting(job), desk.get(), asyncio.current_task()))

    task = asyncio.create_task(agent())
    await asyncio.sleep(0)
    job.value = "soup"
    asyncio.get_running_loop().call_soon(job.answer, ended_with_none())
    asyncio.get_running_loop().call_soon(seen.append, "after")
    await task
    assert seen == [("soup", 7, task), "after"]
    assert desk.get() == 0


async def test_an_awaited_job_is_answered_once() -> None:
    job = awaited_job()
    task = asyncio.create_task(wait_for(job))
    await asyncio.sleep(0)
    job.value = 1
    for _ in range(2):
        asyncio.get_running_loop().call_soon(job.answer, ended_with_none())
    assert await task == 1
    assert job.done()
    assert job.cancel() is False


async def test_a_task_cancelled_while_it_awaits_a_job_is_told_once_with_the_message() -> None:
    job = awaited_job()
    task = asyncio.create_task(wait_for(job))
    await asyncio.sleep(0)
    task.cancel("no soup")
    asyncio.get_running_loop().call_soon(job.answer, ended_with_none())  # too late: nobody hears it
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert caught.value.args == ("no soup",) or (caught.value.__context__ or caught.value).args == ("no soup",)
    assert job.done()


@pytest.mark.parametrize("error", [None, KeyError("soup")])
async def test_an_awaited_job_can_be_answered_as_a_future_is(error: Exception | None) -> None:
    job = awaited_job()
    task = asyncio.create_task(wait_for(job))
    await asyncio.sleep(0)
    if error is None:
        job.future.set_result(3)
    else:
        job.future.set_exception(error)
    assert not task.done()  # in the next turn
    await asyncio.wait([task], timeout=5)
    assert task.exception() is error
    assert error is not None or task.result() == 3


async def test_a_cancel_between_an_answer_and_the_next_turn_goes_on() -> None:
    job = awaited_job()
    task = asyncio.create_task(wait_for(job))
    await asyncio.sleep(0)
    job.future.set_result(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_awaited_job_that_nobody_awaits_yet_takes_its_answer() -> None:
    job = awaited_job()
    job.answer(ended_with_none())
    assert job.done()


async def test_an_interactive_answer_does_not_wait_behind_a_thousand_others() -> None:
    loop = asyncio.get_running_loop()
    jobs = [job_for(loop, number) for number in range(1000)]
    jobs[-1].priority = "interactive"
    delivery = Delivery(loop, answer_all)
    for job in jobs:
        delivery.put(job)
    delivery.wake()
    assert await asyncio.wait_for(jobs[-1].future, 5) == 999
    assert sum(job.future.done() for job in jobs) < 500
    assert await asyncio.wait_for(asyncio.gather(*(job.future for job in jobs)), 5) == list(range(1000))


def test_an_urgent_answer_to_a_closed_loop_is_not_kept_either() -> None:
    loop = asyncio.new_event_loop()
    job = job_for(loop, 1)
    job.priority = "interactive"
    delivery = Delivery(loop, answer_all)
    loop.close()
    delivery.put(job)
    delivery.wake()
    assert not delivery.urgent
