"""What lanes share: answers reach the loop that waits, once, however many threads bring them."""

import asyncio
import threading
import time

from linecook._core.meter import Meter
from linecook.lanes.base import NEW, Delivery, Job, answer


def job_for(loop: asyncio.AbstractEventLoop, value: object = None, error: BaseException | None = None) -> Job:
    job = Job(print, (), {}, meter=Meter("print"), future=loop.create_future())
    job.value, job.error = value, error
    return job


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
    delivery = Delivery(loop, answer)
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
    delivery = Delivery(loop, answer)
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
    delivery = Delivery(loop, answer)
    job = job_for(loop, 1)
    loop.close()
    delivery.put(job)
    delivery.wake()
    delivery.wake()
    assert not job.future.done()
    assert not delivery.done
