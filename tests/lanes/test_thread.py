"""The thread lane: a blocking body hurts its own caller alone, and whoever gives it up is told what became of it."""

import asyncio
import contextvars
import ctypes
import gc
import random
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import uvloop

from linecook._core.context import Priority
from linecook._core.events import Event, Events
from linecook._core.meter import Meter
from linecook.errors import BodyExited, Refused
from linecook.lanes import crew
from linecook.lanes.base import ABANDONED, DONE, DROPPED, QUEUED, RUNNING, Job
from linecook.lanes.thread import ThreadLane, at_thread_end

PATIENCE = 10.0  # upper bound for what normally takes milliseconds; two noisy cores
WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


def job_of(
    body: Callable[..., Any],
    *args: Any,
    meter: Meter | None = None,
    priority: Priority = "normal",
    context: contextvars.Context | None = None,
    **kwargs: Any,
) -> Job:
    name = getattr(body, "__name__", "body")
    return Job(
        body,
        args,
        kwargs,
        meter=meter or Meter(name, "thread"),
        future=asyncio.get_running_loop().create_future(),
        label=name,
        priority=priority,
        context=context,
    )


async def call(lane: ThreadLane, body: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    job = job_of(body, *args, **kwargs)
    lane.submit(job)
    return await asyncio.wait_for(job.future, PATIENCE)


async def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.001)


@pytest.fixture
async def lane() -> AsyncIterator[ThreadLane]:
    lane = ThreadLane(threads=4, max_threads=8)
    yield lane
    lane.close(wait=2)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hung bodies hang on; opened when the test is over."""
    gate = threading.Event()
    yield gate
    gate.set()


async def hang(lane: ThreadLane, gate: threading.Event, count: int = 1) -> list[Job]:
    """Have *count* bodies hang, and wait until they do."""
    jobs = [job_of(gate.wait) for _ in range(count)]
    for job in jobs:
        lane.submit(job)
    await eventually(lambda: all(job.state == RUNNING and job.started_at for job in jobs))
    return jobs


# ---- a call ----


async def test_a_body_runs_on_a_named_daemon_thread_in_the_callers_context(lane: ThreadLane) -> None:
    def body(a: int, *, b: int) -> tuple[int, str, bool, str]:
        thread = threading.current_thread()
        return a + b, thread.name, thread.daemon, WHO.get()

    WHO.set("me")
    total, name, daemon, who = await call(lane, body, 1, b=2, context=contextvars.copy_context())
    assert (total, daemon, who) == (3, True, "me")
    assert name.startswith("linecook-thread-")


async def test_without_a_context_a_body_sees_none_of_the_callers(lane: ThreadLane) -> None:
    WHO.set("me")
    assert await call(lane, WHO.get) == "nobody"


async def test_a_job_tells_when_it_was_queued_began_and_ended(lane: ThreadLane) -> None:
    before = time.monotonic()
    job = job_of(time.sleep, 0.002)
    lane.submit(job)
    await asyncio.wait_for(job.future, PATIENCE)
    assert before <= job.queued_at <= job.started_at < job.ended_at <= time.monotonic()
    assert job.state == DONE


async def test_an_error_arrives_with_a_traceback_that_begins_at_the_body(lane: ThreadLane) -> None:
    def body() -> None:
        raise KeyError("soup")

    job = job_of(body)
    lane.submit(job)
    error = await asyncio.wait_for(settled(job), PATIENCE)
    assert isinstance(error, KeyError)
    assert error.__traceback__ is not None
    names: list[str] = []
    trace = job.error.__traceback__ if job.error else None
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names[-1] == "body"
    assert "_serve" not in names


async def settled(job: Job) -> BaseException | None:
    await asyncio.wait([job.future])
    return job.future.exception()


async def test_wrong_arguments_are_the_calls_own_error(lane: ThreadLane) -> None:
    with pytest.raises(TypeError, match="positional"):
        await call(lane, lambda: None, 1)


@pytest.mark.parametrize("kind", [StopIteration, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
async def test_an_exit_reaches_the_caller_as_body_exited(lane: ThreadLane, kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind("bye")

    with pytest.raises(BodyExited, match=f"leave.*{kind.__name__}") as caught:
        await call(lane, leave)
    assert isinstance(caught.value.__cause__, kind)
    assert await call(lane, abs, -1) == 1


async def test_an_exit_that_cannot_even_be_shown_reaches_the_caller(lane: ThreadLane) -> None:
    class Rude(SystemExit):
        def __repr__(self) -> str:
            raise ValueError("no")

    def leave() -> None:
        raise Rude

    with pytest.raises(BodyExited, match="leave raised Rude"):
        await call(lane, leave)


@pytest.mark.parametrize("where", ["parked", "in a body"])
async def test_an_exception_thrown_into_a_thread_from_outside_loses_no_call(where: str) -> None:
    # What time-out libraries such as stopit do; it may arrive late, when the thread is ours again.
    lane, gate = ThreadLane(threads=1, max_threads=1), threading.Event()
    ident = await call(lane, threading.get_ident)
    hit = job_of(lambda: [time.sleep(0.001) for _ in range(10_000) if not gate.is_set()])
    if where == "in a body":
        lane.submit(hit)
        await eventually(lambda: hit.started_at)
    else:
        await eventually(lambda: lane.statistics()["idle"] == 1)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(ZeroDivisionError))
    if where == "in a body":
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(hit.future, PATIENCE)
    assert await call(lane, abs, -1) == 1
    gate.set()
    await eventually(lambda: lane.statistics()["threads"] == 1)
    lane.close(wait=2)


async def test_exhausted_memory_and_endless_recursion_are_ordinary_errors(lane: ThreadLane) -> None:
    def dig(depth: int) -> int:
        return dig(depth + 1) + 1

    def swallow() -> None:
        raise MemoryError

    with pytest.raises(RecursionError):
        await call(lane, dig, 0)
    with pytest.raises(MemoryError):
        await call(lane, swallow)
    assert await call(lane, abs, -1) == 1


async def test_a_thousand_agents_each_get_their_own_answer(lane: ThreadLane) -> None:
    meter = Meter("abs", "thread")
    answers = await asyncio.gather(*(call(lane, abs, -n, meter=meter) for n in range(1000)))
    assert answers == list(range(1000))
    assert meter.calls == 1000
    assert meter.failures == 0
    assert lane.statistics()["threads"] <= 4


async def test_a_call_leaves_nothing_behind_in_its_thread(lane: ThreadLane) -> None:
    class Thing:
        pass

    def fail(thing: Thing) -> None:
        raise ValueError(thing)

    gc.disable()
    try:
        for body in (id, fail):
            thing = Thing()
            seen = weakref.ref(thing)
            job: Job | None = job_of(body, thing)
            lane.submit(job)
            await asyncio.wait([job.future])
            job.future.exception()
            job = thing = None  # type: ignore[assignment]
            await eventually(lambda seen=seen: seen() is None)
    finally:
        gc.enable()


# ---- the meter ----


async def test_the_meter_counts_calls_failures_wall_and_cpu(lane: ThreadLane) -> None:
    def cook(good: bool) -> None:
        deadline = time.thread_time() + 0.003
        while time.thread_time() < deadline:
            pass
        time.sleep(0.002)
        if not good:
            raise ValueError

    meter = Meter("cook", "thread")
    for good in (True, True, False):
        job = job_of(cook, good, meter=meter)
        lane.submit(job)
        await settled(job)
    assert (meter.calls, meter.failures, meter.cpu_calls) == (3, 1, 3)
    assert meter.cpu >= 0.009
    assert meter.wall >= meter.cpu + 0.005
    assert meter.cpu_wall == pytest.approx(meter.wall)


async def test_the_cpu_clock_is_read_for_some_of_many_short_calls_only(lane: ThreadLane) -> None:
    meter = Meter("abs", "thread")
    for _ in range(400):
        await call(lane, abs, -1, meter=meter)
    assert meter.calls == 400
    assert 20 <= meter.cpu_calls < 200
    assert meter.typical < 0.1  # learnt from 1.0, which says "not known"


async def test_totals_are_exact_though_many_threads_serve(lane: ThreadLane) -> None:
    meter = Meter("sleep", "thread")
    await asyncio.gather(*(call(lane, time.sleep, 0.0001, meter=meter) for _ in range(500)))
    assert meter.calls == 500
    assert meter.cpu_calls <= 500
    assert meter.wall >= 0.05


# ---- threads: how many, which, until when ----


async def test_threads_are_started_when_needed_and_one_caller_keeps_to_a_warm_one() -> None:
    lane = ThreadLane(threads=64)
    assert lane.statistics()["threads"] == 0
    for _ in range(200):
        await call(lane, abs, -1)
    assert lane.statistics()["threads"] <= 10  # 1, unless neighbours hold up the machine
    lane.close(wait=2)


async def test_calls_that_block_run_side_by_side(lane: ThreadLane) -> None:
    barrier = threading.Barrier(4)
    await asyncio.gather(*(call(lane, barrier.wait, PATIENCE) for _ in range(4)))


async def test_nothing_waits_behind_a_blocking_call(lane: ThreadLane, gate: threading.Event) -> None:
    hung = job_of(gate.wait)
    lane.submit(hung)
    assert await asyncio.gather(*(call(lane, abs, -n) for n in range(10))) == list(range(10))
    assert hung.state == RUNNING


async def test_nothing_waits_behind_a_short_tool_that_suddenly_blocks(lane: ThreadLane, gate: threading.Event) -> None:
    meter = Meter("short", "thread", typical=0.0)
    before, after = [job_of(abs, -n, meter=meter) for n in range(5)], [job_of(abs, -n, meter=meter) for n in range(5)]
    hung = job_of(gate.wait, meter=meter)
    for job in (*before, hung, *after):
        lane.submit(job)
    await asyncio.wait_for(asyncio.gather(*(job.future for job in (*before, *after))), PATIENCE)
    assert not hung.future.done()


async def test_a_hung_call_costs_nobody_a_slot(gate: threading.Event) -> None:
    lane = ThreadLane(threads=2, max_threads=2)
    for job in await hang(lane, gate, 2):
        assert lane.cancel(job) == "abandoned"
    barrier = threading.Barrier(2)
    await asyncio.gather(*(call(lane, barrier.wait, PATIENCE) for _ in range(2)))
    assert lane.statistics()["abandoned"] == 2
    gate.set()
    lane.close(wait=2)


async def test_a_few_hung_calls_among_many_starve_nobody(gate: threading.Event) -> None:
    # https://github.com/hatchet-dev/hatchet/issues/4803: hung calls exhaust the default pool and block everybody.
    lane = ThreadLane(threads=4, max_threads=64)
    jobs = [job_of(gate.wait) if number % 25 == 0 else job_of(abs, -number) for number in range(500)]
    for job in jobs:
        lane.submit(job)
    healthy = [job.future for number, job in enumerate(jobs) if number % 25]
    assert await asyncio.wait_for(asyncio.gather(*healthy), PATIENCE) == [n for n in range(500) if n % 25]
    assert {lane.cancel(job) for job in jobs[::25]} == {"abandoned"}
    assert lane.statistics()["abandoned"] == 20
    gate.set()
    await eventually(lambda: lane.statistics()["abandoned"] == 0)
    lane.close(wait=2)


async def test_one_wake_of_the_loop_serves_a_batch_of_short_calls(lane: ThreadLane) -> None:
    loop, meter = asyncio.get_running_loop(), Meter("abs", "thread", typical=0.0)
    wakes: list[object] = []
    original = loop.call_soon_threadsafe
    loop.call_soon_threadsafe = lambda *args, **kwargs: (wakes.append(args), original(*args, **kwargs))[1]  # type: ignore[method-assign]
    jobs = [job_of(abs, -n, meter=meter) for n in range(2000)]
    for job in jobs:
        lane.submit(job)
    await asyncio.wait_for(asyncio.gather(*(job.future for job in jobs)), PATIENCE)
    assert len(wakes) < 400  # some 10 on a quiet machine; one per call is 2,000


async def test_the_lane_grows_by_half_while_jobs_wait_and_nothing_ends(gate: threading.Event) -> None:
    events, grew = Events(), list[Event]()
    events.subscribe(grew.append)
    lane = ThreadLane(threads=4, max_threads=8, events=events)
    await hang(lane, gate, 8)
    assert [event.data["threads"] for event in grew if event.kind == "lane.grew"] == [6, 8]
    ninth = job_of(abs, -1)
    lane.submit(ninth)
    await asyncio.sleep(0.05)
    assert ninth.state == QUEUED
    assert lane.statistics()["threads"] == 8
    gate.set()
    assert await asyncio.wait_for(ninth.future, PATIENCE) == 1
    lane.close(wait=2)


async def test_the_lane_does_not_grow_while_bodies_end() -> None:
    lane, meter = ThreadLane(threads=8), Meter("sleep", "thread")
    await asyncio.gather(*(call(lane, time.sleep, 0.001, meter=meter) for _ in range(800)))
    # 100 ms or more: one that grew all the time would be at 400; a neighbour may stop everything for 10 ms a few times.
    assert lane.statistics()["threads_allowed"] <= 40
    lane.close(wait=2)


async def test_idle_threads_go_home_but_for_a_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "IDLE", 0.05)
    monkeypatch.setattr(crew, "RESERVE", 2)
    lane = ThreadLane(threads=5)
    barrier = threading.Barrier(5)
    await asyncio.gather(*(call(lane, barrier.wait, PATIENCE) for _ in range(5)))
    await eventually(lambda: lane.statistics()["threads"] == 2)
    assert await call(lane, abs, -1) == 1
    lane.close(wait=2)


# ---- giving up ----


async def test_a_job_given_up_while_it_waits_never_runs_and_frees_its_place(gate: threading.Event) -> None:
    class Thing:
        pass

    lane = ThreadLane(threads=1, max_threads=1, max_queued=1)
    (first,) = await hang(lane, gate)
    ran: list[int] = []
    thing = Thing()
    seen = weakref.ref(thing)
    second = job_of(ran.append, thing)
    del thing
    lane.submit(second)
    with pytest.raises(Refused):
        lane.submit(job_of(ran.append, 2))
    assert lane.cancel(second) == "not started"
    assert lane.cancel(second) == "not started"
    assert second.state == DROPPED
    assert seen() is None
    assert lane.statistics()["waiting"] == 0
    third = job_of(ran.append, 3)
    lane.submit(third)
    gate.set()
    await asyncio.wait_for(third.future, PATIENCE)
    assert ran == [3]
    assert await first.future
    lane.close(wait=2)


async def test_a_job_given_up_while_it_runs_is_named_and_its_late_result_dropped(gate: threading.Event) -> None:
    def stew() -> str:
        gate.wait(PATIENCE)
        return "late"

    events, told = Events(), list[Event]()
    events.subscribe(told.append)
    lane = ThreadLane(threads=1, max_threads=1, events=events)
    job = job_of(stew)
    lane.submit(job)
    await eventually(lambda: job.state == RUNNING and job.started_at)
    assert lane.cancel(job) == "abandoned"
    assert lane.cancel(job) == "abandoned"
    assert job.state == ABANDONED
    ((label, seconds, name, line),) = lane.abandoned()
    assert label == "stew"
    assert 0 <= seconds < PATIENCE
    assert name.startswith("linecook-thread-")
    assert __file__ in line
    assert "stew" in line
    assert lane.running() == []
    gate.set()
    await eventually(lambda: lane.statistics()["abandoned"] == 0)
    await eventually(lambda: job.meter.calls == 1)
    assert not job.future.done()
    assert [event.kind for event in told] == ["lane.abandoned", "lane.returned"]
    assert await call(lane, abs, -1) == 1
    assert lane.abandoned() == []
    lane.close(wait=2)


async def test_a_worker_that_comes_back_to_a_full_house_goes_home(gate: threading.Event) -> None:
    lane = ThreadLane(threads=1, max_threads=1)
    (job,) = await hang(lane, gate)
    lane.cancel(job)
    assert await call(lane, abs, -1) == 1
    gate.set()
    await eventually(lambda: lane.statistics()["abandoned"] == 0)
    await eventually(lambda: lane.statistics()["threads"] == 1)
    lane.close(wait=2)


async def test_a_job_that_has_ended_is_finished_whoever_gives_it_up(lane: ThreadLane) -> None:
    job = job_of(abs, -1)
    lane.submit(job)
    time.sleep(0.05)  # the body ends while the loop is blocked; its answer is on the way
    await eventually(lambda: job.ended_at)
    assert lane.cancel(job) == "finished"
    assert await asyncio.wait_for(job.future, PATIENCE) == 1
    assert lane.cancel(job) == "finished"
    assert lane.running() == []


@pytest.mark.slow
async def test_ten_thousand_jobs_given_up_at_random_are_all_accounted_for() -> None:
    lane = ThreadLane(threads=8)
    chance = random.Random(2)
    meter = Meter("sleep", "thread")
    jobs: list[Job] = []
    found: dict[str, int] = {"not started": 0, "abandoned": 0, "finished": 0}
    for _ in range(100):
        for _ in range(100):
            jobs.append(job_of(time.sleep, chance.choice((0, 0, 0.0001)), meter=meter))
            lane.submit(jobs[-1])
        await asyncio.sleep(0)
        for job in chance.sample(jobs, len(jobs) // 2):
            found[lane.cancel(job)] += 1
            job.future.cancel()
            jobs.remove(job)
    for job in jobs:
        found[lane.cancel(job)] += 1
        job.future.cancel()
    assert sum(found.values()) == 10_000
    await eventually(lambda: lane.statistics()["abandoned"] == lane.statistics()["running"] == 0)
    await eventually(lambda: meter.calls == found["finished"] + found["abandoned"])
    assert lane.statistics()["waiting"] == 0
    assert await call(lane, abs, -1) == 1
    assert lane._claims == {}
    assert lane._dropped == 0
    lane.close(wait=2)


async def test_cancelled_jobs_do_not_pile_up_behind_hung_threads(gate: threading.Event) -> None:
    lane = ThreadLane(threads=1, max_threads=1)
    await hang(lane, gate)
    kept = [job_of(abs, -n) for n in range(3)]
    for number in range(6000):
        if number % 2000 == 1000:
            lane.submit(kept[number // 2000])
        job = job_of(print)
        lane.submit(job)
        assert lane.cancel(job) == "not started"
    assert len(lane._waiting) < 2500
    assert lane.statistics()["waiting"] == 3
    gate.set()
    assert await asyncio.wait_for(asyncio.gather(*(job.future for job in kept)), PATIENCE) == [0, 1, 2]
    lane.close(wait=2)


# ---- bounds ----


@pytest.mark.parametrize("name", ["threads", "max_threads", "max_queued", "max_abandoned"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, None])
def test_a_bound_out_of_range_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}={value!r} must be a whole number, at least 1"):
        ThreadLane(**{name: value})


def test_the_lane_cannot_be_asked_to_shrink_as_it_grows() -> None:
    with pytest.raises(ValueError, match="max_threads=4 is below threads=8"):
        ThreadLane(threads=8, max_threads=4)


async def test_a_full_queue_refuses_and_says_what_to_change(gate: threading.Event) -> None:
    lane = ThreadLane(threads=1, max_threads=1, max_queued=2)
    await hang(lane, gate)
    waiting = [job_of(abs, -1) for _ in range(2)]
    for job in waiting:
        lane.submit(job)
    with pytest.raises(Refused, match=r"2 jobs wait for a thread \(max_queued=2\).*wait \(1\).*limit=") as caught:
        lane.submit(job_of(abs, -1))
    assert caught.value.work == "not started"
    gate.set()
    await asyncio.wait_for(asyncio.gather(*(job.future for job in waiting)), PATIENCE)
    assert await call(lane, abs, -1) == 1
    lane.close(wait=2)


async def test_too_many_lost_threads_refuse_until_one_comes_back(gate: threading.Event) -> None:
    lane = ThreadLane(threads=4, max_abandoned=2)
    for job in await hang(lane, gate, 2):
        lane.cancel(job)
    with pytest.raises(Refused, match=r"2 threads are lost.*max_abandoned=2.*wait \(2\).*lane='process'"):
        lane.submit(job_of(abs, -1))
    gate.set()
    await eventually(lambda: lane.statistics()["abandoned"] == 0)
    assert await call(lane, abs, -1) == 1
    lane.close(wait=2)


async def test_statistics_show_what_is_held_and_every_bound(gate: threading.Event) -> None:
    lane = ThreadLane(threads=2, max_threads=2, max_queued=50, max_abandoned=9)
    jobs = await hang(lane, gate, 2)
    waiting = [job_of(abs, -1, priority=priority) for priority in ("interactive", "batch", "batch")]
    for job in waiting:
        lane.submit(job)
    expected = {
        "threads": 2, "threads_allowed": 2, "idle": 0, "running": 2, "waiting": 3, "abandoned": 0,
        "waiting_interactive": 1, "waiting_normal": 0, "waiting_batch": 2,
        "start_threads": 2, "max_threads": 2, "max_queued": 50, "max_abandoned": 9,
    }  # fmt: skip
    assert lane.statistics() == expected
    assert lane.name == "thread"
    running = lane.running()
    assert {job for job, _ in running} == set(jobs)
    assert {ident for _, ident in running} <= {thread.ident for thread in threading.enumerate()}
    gate.set()
    await asyncio.wait_for(asyncio.gather(*(job.future for job in waiting)), PATIENCE)
    lane.close(wait=2)


async def test_a_system_without_threads_refuses_instead_of_hanging(
    lane: ThreadLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:  # what the system says at its limit can't be had without harming others
        patch.setattr(threading.Thread, "start", no_more)
        with pytest.raises(Refused, match="no thread"):
            lane.submit(job_of(abs, -1))
    assert await call(lane, abs, -1) == 1


# ---- priorities ----


async def test_the_chat_reply_overtakes_the_nightly_batch(gate: threading.Event) -> None:
    lane = ThreadLane(threads=1, max_threads=1)
    await hang(lane, gate)
    order: list[str] = []
    jobs = [job_of(order.append, priority, priority=priority) for priority in ("batch", "normal", "interactive")]
    for job in jobs:
        lane.submit(job)
    gate.set()
    await asyncio.wait_for(asyncio.gather(*(job.future for job in jobs)), PATIENCE)
    assert order == ["interactive", "normal", "batch"]
    lane.close(wait=2)


# ---- loops ----


def test_one_lane_serves_loop_after_loop_and_forgets_those_that_closed() -> None:
    lane = ThreadLane()
    for number in range(3):
        assert asyncio.run(call(lane, abs, -number)) == number
    assert len(lane._ports) == 1
    lane.close(wait=2)


def test_two_loops_in_two_threads_share_a_lane() -> None:
    lane = ThreadLane(threads=4)
    answers: dict[int, list[int]] = {}

    async def many(sign: int) -> None:
        meter = Meter("mul", "thread")
        answers[sign] = await asyncio.gather(*(call(lane, int.__mul__, n, sign, meter=meter) for n in range(500)))
        assert meter.calls == 500

    threads = [threading.Thread(target=asyncio.run, args=(many(sign),)) for sign in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == {1: list(range(500)), -1: [-n for n in range(500)]}
    lane.close(wait=2)


def test_a_loop_that_closes_while_bodies_run_harms_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    lane = ThreadLane(threads=2)
    gate = threading.Event()

    async def leave() -> None:
        await hang(lane, gate, 2)

    asyncio.run(leave())
    gate.set()
    assert asyncio.run(call(lane, abs, -1)) == 1
    lane.close(wait=2)
    assert capfd.readouterr().err == ""


def test_it_works_under_uvloop() -> None:
    lane = ThreadLane()

    async def many() -> list[int]:
        return await asyncio.gather(*(call(lane, abs, -n) for n in range(200)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(many()) == list(range(200))
    lane.close(wait=2)


async def test_submit_never_waits_for_a_hung_lane(gate: threading.Event) -> None:
    lane = ThreadLane(threads=1, max_threads=1)
    await hang(lane, gate)
    before = time.monotonic()
    jobs = [job_of(abs, -1) for _ in range(100)]
    for job in jobs:
        lane.submit(job)
    assert time.monotonic() - before < 1
    for job in jobs:
        assert lane.cancel(job) == "not started"
    gate.set()
    lane.close(wait=2)


# ---- the end ----


async def test_a_closed_lane_refuses_and_its_threads_go_home(gate: threading.Event) -> None:
    lane = ThreadLane(threads=2)
    (job,) = await hang(lane, gate)
    assert await call(lane, abs, -1) == 1
    lane.close()
    lane.close()
    with pytest.raises(Refused, match="closed"):
        lane.submit(job_of(abs, -1))
    assert not job.future.done()
    gate.set()
    assert await asyncio.wait_for(job.future, PATIENCE) is True
    await eventually(lambda: lane.statistics()["threads"] == 0)


async def test_what_waits_when_the_lane_closes_is_still_served(gate: threading.Event) -> None:
    lane = ThreadLane(threads=1, max_threads=1)
    await hang(lane, gate)
    waiting = [job_of(abs, -n) for n in range(3)]
    for job in waiting:
        lane.submit(job)
    lane.close()
    gate.set()
    assert await asyncio.wait_for(asyncio.gather(*(job.future for job in waiting)), PATIENCE) == [0, 1, 2]
    await eventually(lambda: lane.statistics()["threads"] == 0)


async def test_a_closed_lane_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    lane = ThreadLane(threads=4)
    await asyncio.gather(*(call(lane, time.sleep, 0.002) for _ in range(20)))
    lane.close(wait=2)
    await eventually(lambda: not [thread for thread in threading.enumerate() if thread not in before])


async def test_what_belongs_to_a_thread_is_closed_on_it_last_first(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[tuple[str, int]] = []

    def open_two() -> int:
        at_thread_end(lambda: closed.append(("first", threading.get_ident())))
        at_thread_end(lambda: 1 / 0)
        at_thread_end(lambda: closed.append(("second", threading.get_ident())))
        return threading.get_ident()

    lane = ThreadLane(threads=1)
    ident = await call(lane, open_two)
    assert closed == []
    lane.close(wait=PATIENCE)
    assert closed == [("second", ident), ("first", ident)]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.slow
def test_a_hundred_hung_threads_never_hold_the_interpreter_back(environment: dict[str, str]) -> None:
    # https://github.com/crewAIInc/crewAI/issues/4135: timed-out calls leave threads that pools join at exit, for ever.
    program = """
import asyncio, sys, time
from linecook._core.meter import Meter
from linecook.lanes.base import Job
from linecook.lanes.thread import ThreadLane

async def main():
    lane, loop = ThreadLane(threads=100), asyncio.get_running_loop()
    jobs = [Job(time.sleep, (3600,), {}, meter=Meter("hang"), future=loop.create_future()) for _ in range(100)]
    for job in jobs:
        lane.submit(job)
    while lane.statistics()["running"] < 100:
        await asyncio.sleep(0.01)
    assert {lane.cancel(job) for job in jobs} == {"abandoned"}

asyncio.run(main())
print("main is over", flush=True)
"""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "main is over\n"
        assert child.wait(5) == 0  # 0.1 s on a quiet machine
        assert child.stderr is not None
        assert child.stderr.read() == ""


@pytest.mark.slow
def test_a_forked_child_starts_with_an_empty_lane_that_works(environment: dict[str, str]) -> None:
    program = """
import asyncio, os, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what this is about
from linecook._core.meter import Meter
from linecook.lanes.base import Job
from linecook.lanes.thread import ThreadLane

lane, gate = ThreadLane(threads=1, max_threads=1), threading.Event()

async def call(body, *args):
    job = Job(body, args, {}, meter=Meter("m"), future=asyncio.get_running_loop().create_future())
    lane.submit(job)
    return await asyncio.wait_for(job.future, 10)

async def crowd():
    loop = asyncio.get_running_loop()
    for body in (gate.wait, abs):
        lane.submit(Job(body, (5,), {}, meter=Meter("m"), future=loop.create_future()))
    while not lane.statistics()["running"]:
        await asyncio.sleep(0.001)

asyncio.run(crowd())
child = os.fork()
if child == 0:
    seen = lane.statistics()
    assert (seen["threads"], seen["running"], seen["waiting"]) == (0, 0, 0), seen
    assert asyncio.run(call(abs, -3)) == 3
    os._exit(7)
_, status = os.waitpid(child, 0)
gate.set()
assert asyncio.run(call(abs, -4)) == 4
print(os.waitstatus_to_exitcode(status))
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("7\n", "")


async def test_a_busy_lane_keeps_no_monitor_awake_when_nothing_waits(lane: ThreadLane, gate: threading.Event) -> None:
    await hang(lane, gate, 2)
    await asyncio.gather(*(call(lane, abs, -1) for _ in range(50)))
    await eventually(lambda: not lane._crew.watching)
    await asyncio.sleep(0.02)
    assert not lane._crew.watching


async def test_a_short_tool_that_hangs_is_not_known_to_be_short_any_more() -> None:
    # Else one hung call in a hundred stops one thread after the other, each until the monitor looks again.
    lane, leave, meter = ThreadLane(), threading.Event(), Meter("usually quick", "thread", typical=0.00001)
    future = asyncio.get_running_loop().create_future()
    lane.submit(Job(leave.wait, (30,), {}, meter, future, "usually quick"))
    async with asyncio.timeout(20):
        while meter.typical < 1.0:  # the monitor sees to it while something waits; here we look ourselves
            await asyncio.sleep(0.002)
            lane._flush()
    leave.set()
    assert await future
    lane.close()
