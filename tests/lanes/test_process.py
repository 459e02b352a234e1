"""The process lane, with real processes. One lane per module: its workers survive from one test's loop to the next."""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linecook._core.errors import BodyExited, CallError, LaneLost, NotPortable, Refused
from linecook._core.meter import Meter
from linecook.lanes.base import Job
from linecook.lanes.process import ProcessLane
from linecook.lanes.process_worker import Worker
from tests.lanes import process_bodies as bodies

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lane() -> Iterator[ProcessLane]:
    lane = ProcessLane(processes=2)
    yield lane
    lane.close(wait=0.5)
    assert lane.wait_closed(3)


def job(body: Callable[..., Any], *args: Any, meter: Meter | None = None, **options: Any) -> Job:
    return Job(
        body,
        args,
        {},
        meter=meter or Meter(getattr(body, "__name__", "body"), "process"),
        future=asyncio.get_running_loop().create_future(),
        label=getattr(body, "__name__", "body"),
        **options,
    )


def send(lane: ProcessLane, body: Callable[..., Any], *args: Any, **options: Any) -> Job:
    sent = job(body, *args, **options)
    lane.submit(sent)
    return sent


async def call(lane: ProcessLane, body: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.wait_for(send(lane, body, *args).future, 20)


async def begun(lane: ProcessLane, sent: Job) -> None:
    for _ in range(5000):
        lane.refresh(sent)
        if sent.started_at:
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never began")


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.002)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


async def test_a_body_runs_in_another_process(lane):
    assert await call(lane, bodies.pid) != os.getpid()
    assert await call(lane, bodies.add, 1, 2) == 3


async def test_workers_stay_warm_from_one_loop_to_the_next(lane):
    before = {worker.pid for worker in lane._all}
    assert before
    assert await call(lane, bodies.pid) in before


async def test_answers_belong_to_their_calls(lane):
    meter = Meter("same")
    values = await asyncio.gather(*[send(lane, bodies.same, n, meter=meter).future for n in range(3000)])
    assert values == list(range(3000))
    assert meter.calls == 3000
    assert meter.typical < 0.01
    assert 0 < meter.cpu_calls < 3000


async def test_short_bodies_travel_together_and_long_ones_alone(lane):
    meter = Meter("nap")
    await asyncio.gather(*[send(lane, bodies.nap, 0.006, meter=meter).future for _ in range(4)])
    sent = [send(lane, bodies.nap, 0.006, meter=meter) for _ in range(8)]
    await asyncio.sleep(0.003)
    assert all(len(worker.jobs) <= 1 for worker in lane._all)
    await asyncio.gather(*[one.future for one in sent])


async def test_times_are_known_while_the_body_runs(lane):
    sent = send(lane, bodies.nap, 0.1)
    await begun(lane, sent)
    assert not sent.future.done()
    assert sent.queued_at <= sent.started_at <= time.monotonic()
    began = sent.started_at
    await sent.future
    assert sent.started_at == began
    assert sent.ended_at >= began + 0.1


async def test_the_meter_learns_wall_and_cpu(lane):
    meter = Meter("nap")
    await send(lane, bodies.nap, 0.02, meter=meter).future
    assert meter.calls == meter.cpu_calls == 1
    assert meter.wall >= 0.02
    assert meter.cpu < 0.02
    assert meter.typical >= 0.02


async def test_a_waiting_call_is_cancelled_without_having_begun(lane, tmp_path):
    gate = tmp_path / "gate"
    holders = [send(lane, bodies.wait_for, str(gate)) for _ in range(2)]
    for holder in holders:
        await begun(lane, holder)
    waiting = send(lane, bodies.mark, str(tmp_path / "ran"))
    await asyncio.sleep(0.01)
    assert lane.statistics()["waiting"] == 1
    assert lane.cancel(waiting) == "not started"
    assert lane.statistics()["waiting"] == 0
    gate.touch()
    await asyncio.gather(*[holder.future for holder in holders])
    await call(lane, bodies.same)
    assert not (tmp_path / "ran").exists()


async def test_a_call_inside_a_worker_behind_another_is_taken_back(lane, tmp_path):
    gate, ran = tmp_path / "gate", tmp_path / "ran"
    short = Meter("short", typical=1e-5, calls=5)
    one = ProcessLane(processes=1)
    await call(one, bodies.same)
    holder = send(one, bodies.wait_for, str(gate), meter=short)
    behind = send(one, bodies.mark, str(ran), meter=short)
    await asyncio.sleep(0)
    await begun(one, holder)
    assert one.cancel(behind) == "not started"
    gate.touch()
    await holder.future
    await call(one, bodies.same)
    assert not ran.exists()
    one.close()
    one.wait_closed(3)


async def test_a_running_call_is_stopped_and_its_process_killed(lane):
    for body in (bodies.spin, bodies.spin_in_c):
        sent = send(lane, body)
        await begun(lane, sent)
        pid = sent.worker[0].pid
        assert alive(pid)
        started = time.perf_counter()
        assert lane.cancel(sent) == "stopped"
        await until(lambda pid=pid: not alive(pid), 2)
        assert time.perf_counter() - started < 1
        assert lane.cancel(sent) == "stopped"  # asked again, it says the same
    await until(lambda: not lane._undertaker.dying)  # collected: no zombie


@pytest.mark.slow
async def test_a_spare_takes_over_from_a_killed_worker(lane):
    spinning = [send(lane, bodies.spin) for _ in range(2)]
    for sent in spinning:
        await begun(lane, sent)
    await until(lambda: lane.statistics()["spare"] == 1)
    spare = lane._spare.pid
    assert lane.cancel(spinning[0]) == "stopped"
    assert await call(lane, bodies.pid) == spare
    lane.cancel(spinning[1])


async def test_what_had_not_begun_in_a_killed_worker_runs_elsewhere(tmp_path):
    lane = ProcessLane(processes=1)
    await call(lane, bodies.same)
    short = Meter("short", typical=1e-5, calls=5)
    first = [send(lane, bodies.same, n, meter=short) for n in range(5)]
    spinning = send(lane, bodies.spin, meter=short)
    last = [send(lane, bodies.same, n, meter=short) for n in range(5, 20)]
    await begun(lane, spinning)
    assert lane.cancel(spinning) == "stopped"
    values = await asyncio.wait_for(asyncio.gather(*[one.future for one in (*first, *last)]), 10)
    assert values == list(range(20))
    lane.close()
    lane.wait_closed(3)


async def test_a_usually_short_body_that_hangs_keeps_nobody_waiting(lane):
    short = Meter("short", typical=1e-5, calls=5)
    await asyncio.gather(*[send(lane, bodies.same).future for _ in range(4)])
    spinning = send(lane, bodies.spin_in_c, meter=short)
    others = [send(lane, bodies.same, n, meter=short) for n in range(50)]
    values = await asyncio.wait_for(asyncio.gather(*[one.future for one in others]), 10)
    assert values == list(range(50))
    assert lane.cancel(spinning) == "stopped"


async def test_a_call_given_up_just_as_it_ends_leaves_its_worker_to_others(tmp_path):
    one = ProcessLane(processes=1)
    await call(one, bodies.same)
    sent = send(one, bodies.wait_for, str(tmp_path / "go"))
    await begun(one, sent)
    (tmp_path / "go").touch()
    worker, _ = sent.worker
    # It has ended when its answer waits in the socket: the loop stands still, so nobody reads that.
    assert select.select([worker.sock], [], [], 20)[0]
    assert one.cancel(sent) == "finished"
    assert not sent.future.done()  # who gives a call up answers it
    assert await call(one, bodies.same, 1) == 1
    one.close()
    one.wait_closed(3)


async def test_what_a_worker_skips_though_it_seemed_to_have_begun_runs_after_all(monkeypatch):
    # The worker sees the flag, and the parent that the number was passed: both at once is rare, so it is arranged.
    one = ProcessLane(processes=1)
    await call(one, bodies.same)
    taken_back = Worker.take_back

    def too_late(worker: Worker, number: int) -> bool:
        taken_back(worker, number)
        return False

    monkeypatch.setattr(Worker, "take_back", too_late)
    short = Meter("short", typical=1e-5, calls=5)
    first = send(one, bodies.nap, 0.1, meter=short)
    behind = [send(one, bodies.same, n, meter=short) for n in range(20)]
    assert await asyncio.wait_for(asyncio.gather(*[other.future for other in behind]), 10) == list(range(20))
    assert first.future.done()
    last = [send(one, bodies.nap, 0.1, meter=short), send(one, bodies.same, meter=short)]
    await begun(one, last[0])
    assert one.cancel(last[1]) == "finished"  # what it says when it can't be told
    await last[0].future
    assert await call(one, bodies.same, 1) == 1
    one.close()
    one.wait_closed(3)


@pytest.mark.slow
async def test_no_body_runs_twice_behind_one_that_is_unusually_long(tmp_path):
    one = ProcessLane(processes=1)
    await call(one, bodies.same)
    short = Meter("short", typical=1e-5, calls=5)
    first = send(one, bodies.nap, 0.4, meter=short)
    others = [send(one, bodies.mark, str(tmp_path / str(n)), meter=short) for n in range(300)]
    await asyncio.gather(first.future, *[other.future for other in others])
    await call(one, bodies.same)
    assert {len((tmp_path / str(n)).read_text().split()) for n in range(300)} == {1}
    one.close()
    one.wait_closed(3)


@pytest.mark.slow
async def test_no_body_runs_that_was_cancelled_while_its_worker_was_busy(tmp_path):
    one = ProcessLane(processes=1)
    await call(one, bodies.same)
    short = Meter("short", typical=1e-5, calls=5)
    gate, ran = tmp_path / "gate", tmp_path / "ran"
    send(one, bodies.wait_for, str(gate), meter=short)
    for _ in range(30):  # more than there are flags
        sent = [send(one, bodies.mark, str(ran), meter=short) for _ in range(200)]
        await asyncio.sleep(0)
        assert {one.cancel(each) for each in sent} == {"not started"}
    gate.touch()
    assert await call(one, bodies.same, 1) == 1
    assert not ran.exists()
    one.close()
    one.wait_closed(3)


async def test_nobody_waits_behind_an_import_that_hangs(lane, tmp_path, monkeypatch):
    (tmp_path / "hanging_module.py").write_text(
        "import sys, time\nif 'pytest' not in sys.modules: time.sleep(60)\ndef f(): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import hanging_module  # type: ignore[import-not-found]

    lane = ProcessLane(processes=2)
    await asyncio.gather(*[send(lane, bodies.nap, 0.01).future for _ in range(2)])
    monkeypatch.setattr(lane.routes, "modules", {})
    hanging = send(lane, hanging_module.f)
    others = [send(lane, bodies.same, n) for n in range(30)]
    values = await asyncio.wait_for(asyncio.gather(*[one.future for one in others]), 10)
    assert values == list(range(30))
    lane.cancel(hanging)
    lane.close(wait=0)
    lane.wait_closed(3)


@pytest.mark.parametrize(
    ("body", "args", "words"),
    [
        (bodies.segfault, (), "SIGSEGV"),
        (bodies.kill_myself, (), "SIGKILL"),
        (bodies.leave, (7,), "exited with code 7"),
        (bodies.leave, (0,), "exited with code 0"),
    ],
)
async def test_a_dead_worker_hurts_only_the_call_it_was_running(lane, body, args, words):
    short = Meter("short", typical=1e-5, calls=5)
    others = [send(lane, bodies.same, n, meter=short) for n in range(20)]
    dying = send(lane, body, *args, meter=short)
    more = [send(lane, bodies.same, n, meter=short) for n in range(20)]
    with pytest.raises(LaneLost, match=words) as caught:
        await asyncio.wait_for(dying.future, 10)
    assert body.__name__ in str(caught.value)
    values = await asyncio.wait_for(asyncio.gather(*[one.future for one in (*others, *more)]), 10)
    assert values == [*range(20), *range(20)]


async def test_a_worker_killed_while_idle_is_replaced_unnoticed(lane):
    pid = await call(lane, bodies.pid)
    await asyncio.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not alive(pid))
    assert await call(lane, bodies.pid) != pid


async def test_workers_that_cannot_start_end_in_an_error(monkeypatch):
    lane = ProcessLane(processes=1)
    monkeypatch.setattr("linecook.lanes.process_worker.PROGRAM", "/nonexistent/worker.py")
    with pytest.raises(LaneLost, match="die before they run anything"):
        await call(lane, bodies.same)
    lane.close()
    lane.wait_closed(3)


async def test_no_process_to_be_had_is_an_error_and_not_a_wait(monkeypatch):
    def refuse(fds: list[int]) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    lane = ProcessLane(processes=1)
    with monkeypatch.context() as patch:
        patch.setattr("linecook.lanes.process_worker._spawn", refuse)
        with pytest.raises(LaneLost, match=r"no worker process can be started: .*Resource temporarily"):
            await call(lane, bodies.same)
    assert await call(lane, bodies.same, 1) == 1
    lane.close()
    lane.wait_closed(3)


async def test_workers_that_never_greet_end_in_an_error(tmp_path, monkeypatch):
    mute = tmp_path / "worker.py"
    mute.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr("linecook.lanes.process_worker.PROGRAM", str(mute))
    monkeypatch.setattr("linecook.lanes.process_looking.LONGEST_LOADING", 0.01)
    monkeypatch.setattr("linecook.lanes.process_looking.GLANCE", 0.02)
    lane = ProcessLane(processes=1)
    with pytest.raises(LaneLost, match="start and say nothing"):
        await call(lane, bodies.same)
    lane.close(wait=0)
    lane.wait_closed(3)


async def test_a_directory_that_is_gone_keeps_nobody_waiting(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    lane = ProcessLane(processes=1)
    assert await call(lane, bodies.same, 1) == 1
    lane.close()
    lane.wait_closed(3)


async def test_an_import_that_kills_the_worker_is_not_tried_for_ever(lane, tmp_path, monkeypatch):
    (tmp_path / "deadly_module.py").write_text(
        "import os, sys\nif 'pytest' not in sys.modules: os._exit(9)\ndef f(): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import deadly_module  # type: ignore[import-not-found]

    with pytest.raises(LaneLost, match=r"each time it loaded .* code 9"):
        await call(lane, deadly_module.f)


@pytest.mark.parametrize(
    "kind", ["SystemExit", "KeyboardInterrupt", "StopIteration", "GeneratorExit", "CancelledError"]
)
async def test_exits_arrive_contained(lane, kind):
    with pytest.raises(BodyExited) as caught:
        await call(lane, bodies.exit_politely, kind)
    assert type(caught.value.__cause__).__name__ == kind


async def test_an_exception_with_two_arguments_arrives_as_itself(lane):
    with pytest.raises(bodies.TwoArguments, match="404: gone") as caught:
        await call(lane, bodies.raise_two)
    assert caught.value.code == 404
    assert "raise TwoArguments(404" in caught.value.__notes__[-1]


async def test_an_exception_that_cannot_be_pickled_keeps_what_can(lane):
    with pytest.raises(bodies.Unpicklable, match="with a lock") as caught:
        await call(lane, bodies.raise_unpicklable)
    assert caught.value.code == 7
    assert not hasattr(caught.value, "lock")


async def test_an_exception_that_cannot_travel_has_a_stand_in(lane):
    with pytest.raises(CallError, match=r"raise_local raised .*Local: ") as caught:
        await call(lane, bodies.raise_local)
    assert "raise Local(1, 2)" in caught.value.__notes__[-1]


async def test_notes_and_causes_arrive(lane):
    with pytest.raises(RuntimeError, match="outer") as caught:
        await call(lane, bodies.raise_with_cause)
    assert caught.value.__notes__[0] == "a note of the body"
    assert 'int("x")' in caught.value.__notes__[-1]
    assert "direct cause" in caught.value.__notes__[-1]


async def test_a_result_that_cannot_travel_is_named(lane):
    with pytest.raises(NotPortable, match=r"result of give_lock .*\['deep'\]\[0\] is a _thread.lock"):
        await call(lane, bodies.give_lock)


async def test_a_refused_argument_leaves_no_trace(lane):
    before = lane.statistics()["waiting"]
    refused = job(bodies.same, {"db": threading.Lock()})
    with pytest.raises(NotPortable, match=r"argument 'value' of same\(...\).*\['db'\] is a _thread.lock"):
        lane.submit(refused)
    assert not refused.future.done()
    assert lane.statistics()["waiting"] == before


@pytest.mark.slow
async def test_a_megabyte_and_a_hundred_travel(lane):
    for size in (70_000, 1 << 20, 100 << 20):
        data = os.urandom(1 << 12) * (size >> 12)
        assert await call(lane, bodies.same, data) == data
        assert await call(lane, bodies.same, [data, "x" * 100_000]) == [data, "x" * 100_000]


@pytest.mark.slow
async def test_a_large_result_leaves_the_loop_its_turns(lane):
    turns, done = 0, False

    async def watch() -> None:
        nonlocal turns
        while not done:
            await asyncio.sleep(0.001)
            turns += 1

    watching = asyncio.create_task(watch())
    result = await call(lane, bodies.same, bytes(300 << 20))
    done = True
    await watching
    assert len(result) == 300 << 20
    assert turns > 40


@pytest.mark.slow
async def test_numpy_arrays_travel_and_are_writable(lane):
    numpy = pytest.importorskip("numpy")
    for size in (10, 100_000, 1_000_000):
        array = numpy.arange(size)
        back = await call(lane, bodies.same, array)
        assert (back == array).all()
        back[0] = 5


async def test_a_forked_child_does_not_answer(lane):
    pid = await call(lane, bodies.fork_and_return)
    assert pid in {worker.pid for worker in lane._all}
    assert await call(lane, bodies.add, 1, 1) == 2


@pytest.mark.slow
async def test_a_forked_child_that_outlives_its_worker_hides_nothing(lane):
    with pytest.raises(LaneLost, match="SIGKILL"):
        await call(lane, bodies.fork_and_die)


async def test_killing_takes_the_tools_own_processes_along(lane, tmp_path):
    path = tmp_path / "pid"
    sent = send(lane, bodies.start_sleeper, str(path))
    await until(lambda: path.exists() and path.read_text() != "")
    child = int(path.read_text())
    assert lane.cancel(sent) == "stopped"
    await until(lambda: not alive(child))


async def test_a_body_that_closes_every_file_loses_only_itself(lane):
    with pytest.raises(LaneLost, match=r"exited|closed"):
        await call(lane, bodies.close_everything)
    assert await call(lane, bodies.add, 2, 2) == 4


async def test_the_nearest_deadline_travels_as_a_duration(lane):
    one = ProcessLane(processes=1)
    await send(one, bodies.time_left).future  # linecook is imported there now
    left = await send(one, bodies.time_left, deadline_left=5.0).future
    assert 1 < left <= 5
    assert await send(one, bodies.time_left).future is None
    one.close()
    one.wait_closed(3)


async def test_priority_decides_who_is_next(lane, tmp_path):
    one = ProcessLane(processes=1)
    gate = tmp_path / "gate"
    holder = send(one, bodies.wait_for, str(gate))
    await begun(one, holder)
    order: list[str] = []
    sent = []
    for priority in ("batch", "normal", "interactive"):
        waiting = send(one, bodies.same, priority, priority=priority)
        waiting.future.add_done_callback(lambda future: order.append(future.result()))
        sent.append(waiting)
    await asyncio.sleep(0)
    assert one.statistics()["waiting_batch"] == 1
    gate.touch()
    await asyncio.gather(*[waiting.future for waiting in sent])
    assert order == ["interactive", "normal", "batch"]
    one.close()
    one.wait_closed(3)


async def test_a_full_queue_refuses(tmp_path):
    lane = ProcessLane(processes=1, max_queued=1)
    gate = tmp_path / "gate"
    holder = send(lane, bodies.wait_for, str(gate))
    await begun(lane, holder)
    waiting = send(lane, bodies.same)
    with pytest.raises(Refused, match="max_queued=1"):
        send(lane, bodies.same)
    gate.touch()
    await waiting.future
    lane.close()
    lane.wait_closed(3)


async def test_closing_answers_everybody(tmp_path):
    lane = ProcessLane(processes=1)
    spinning = send(lane, bodies.spin)
    await begun(lane, spinning)
    waiting = send(lane, bodies.same)
    await asyncio.sleep(0.01)
    lane.close(wait=0.05)
    with pytest.raises(Refused, match="closed while it waited"):
        await asyncio.wait_for(waiting.future, 5)
    with pytest.raises(LaneLost, match="closed under spin"):
        await asyncio.wait_for(spinning.future, 5)
    with pytest.raises(Refused, match="closed"):
        send(lane, bodies.same)
    await until(lambda: lane.wait_closed(0))


async def test_a_worker_sent_home_runs_what_was_registered(tmp_path):
    lane = ProcessLane(processes=1)
    path = tmp_path / "ends"
    assert await call(lane, bodies.write_at_end, str(path)) is True
    await asyncio.sleep(0.02)
    lane.close(wait=3)
    await until(lambda: lane.wait_closed(0))
    assert path.read_text() == "second first "


async def test_no_file_descriptor_is_left(tmp_path):
    before = set(os.listdir("/proc/self/fd"))
    lane = ProcessLane(processes=2)
    await asyncio.gather(*[send(lane, bodies.pid).future for _ in range(4)])
    sent = send(lane, bodies.spin)
    await begun(lane, sent)
    lane.cancel(sent)
    await asyncio.sleep(0.05)
    lane.close()
    await until(lambda: lane.wait_closed(0))
    await asyncio.sleep(0.05)
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_loops_in_threads_share_the_workers(lane):
    found: list[set[int]] = []

    async def use() -> None:
        meter = Meter("nap")
        found.append(set(await asyncio.gather(*[send(lane, bodies.nap, 0.002, meter=meter).future for _ in range(20)])))

    threads = [threading.Thread(target=asyncio.run, args=(use(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 4
    assert len(set.union(*found)) <= 6


def test_a_loop_closed_with_a_body_under_way_gives_its_worker_back():
    lane = ProcessLane(processes=1)
    loop = asyncio.new_event_loop()

    async def start() -> None:
        await begun(lane, send(lane, bodies.spin))

    loop.run_until_complete(start())
    loop.close()

    async def use() -> Any:
        return await call(lane, bodies.add, 1)

    assert asyncio.run(use()) == 1
    lane.close()
    assert lane.wait_closed(3)


def test_under_uvloop(lane):
    uvloop = pytest.importorskip("uvloop")

    async def use() -> None:
        assert await call(lane, bodies.add, 1) == 1
        data = bytes(6 << 20)
        assert await call(lane, bodies.same, data) == data
        sent = send(lane, bodies.spin)
        await begun(lane, sent)
        assert lane.cancel(sent) == "stopped"
        with pytest.raises(LaneLost):
            await call(lane, bodies.kill_myself)
        assert await call(lane, bodies.add, 2) == 2

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(use())


def test_a_forked_child_starts_afresh(lane):
    async def use() -> int:
        return await call(lane, bodies.pid)

    mine = asyncio.run(use())
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of other tests may be about
        child = os.fork()
    if child == 0:
        try:
            theirs = asyncio.run(use())
            lane.close_at_exit()
            os._exit(0 if theirs != mine else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(use()) == mine


SCRIPT = """
import asyncio, os, sys, time
from linecook._core.meter import Meter
from linecook.lanes.base import Job
from linecook.lanes.process import ProcessLane
print("main runs", flush=True)
lane = ProcessLane(processes=2)
factor = 2
class Dish:
    def __init__(self, name): self.name = name
class Odd(Exception):
    def __init__(self, a, b): super().__init__(a); self.b = b
def double(n): return helper(n)
def helper(n): return n * factor
def dish(d): assert type(d).__name__ == "Dish"; return Dish(d.name + "!")
def odd(): raise Odd(1, 2)
def spin():
    while True: pass
def send(f, *a):
    job = Job(f, a, {}, meter=Meter("m"), future=asyncio.get_running_loop().create_future(), label=f.__name__)
    lane.submit(job)
    return job.future
async def main():
    global factor, helper
    assert await send(double, 4) == 8
    factor = 3
    assert await send(double, 4) == 12
    assert await send(lambda x: x + factor, 1) == 4
    back = await send(dish, Dish("soup"))
    assert type(back) is Dish and back.name == "soup!", back
    try: await send(odd)
    except Odd as error: assert error.b == 2
    print("done", flush=True)
    if "spin" in sys.argv:
        futures = [send(spin) for _ in range(4)]
        await asyncio.sleep(0.2)
        print(*[w.pid for w in lane._all], flush=True)
        if "wait" in sys.argv: time.sleep(60)
asyncio.run(main())
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["file", "-c", "-m", "stdin closed", "isolated"])
def test_a_main_program_is_never_run_twice(tmp_path, how):
    path = tmp_path / "prog.py"
    path.write_text(SCRIPT)
    command = {
        "file": [str(path)],
        "-c": ["-c", SCRIPT],
        "-m": ["-m", "prog"],
        "stdin closed": [str(path)],
        "isolated": ["-P", str(path)],
    }[how]
    shell = " <&- 2>&-" if how == "stdin closed" else ""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@"{shell}', "sh", sys.executable, *command],
        capture_output=True, text=True, cwd=tmp_path, env=_environment(), timeout=30,
    )  # fmt: skip
    assert done.stdout.split("\n") == ["main runs", "done", ""], done.stderr
    assert done.stderr == ""


@pytest.mark.slow
def test_interpreter_exit_does_not_wait_for_bodies(tmp_path):
    path = tmp_path / "prog.py"
    path.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(path), "spin"], capture_output=True, text=True, env=_environment(), timeout=30
    )
    assert done.stderr == ""
    pids = [int(word) for word in done.stdout.split("\n")[2].split()]
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)


@pytest.mark.slow
def test_ctrl_c_while_workers_are_seen_off_ends_them_without_a_traceback():
    program = """
import asyncio, os, signal, sys
from linecook import tool
from linecook.lanes import process
@tool(lane="process")
def double(n): return 2 * n
async def main(): return await double(1)
print(asyncio.run(main()), flush=True)
real = process._until
def interrupted(workers, deadline):
    print(*[worker.pid for worker in workers], flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    real(workers, deadline)
process._until = interrupted
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=_environment(), timeout=30
    )
    assert done.stderr == ""
    answer, pids = done.stdout.splitlines()
    assert answer == "2"
    assert pids
    end = time.monotonic() + 5
    while any(alive(int(pid)) for pid in pids.split()):
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.slow
def test_workers_die_with_a_parent_that_is_killed(tmp_path):
    path = tmp_path / "prog.py"
    path.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, str(path), "spin", "wait"], stdout=subprocess.PIPE, text=True, env=_environment()
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        parent.stdout.readline()
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        parent.kill()
    end = time.monotonic() + 5
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.005)


async def test_statistics_and_running_show_what_is_there(lane):
    sent = send(lane, bodies.nap, 0.05)
    await begun(lane, sent)
    shown = lane.statistics()
    assert shown["processes"] == 2
    assert shown["max_queued"] == 100_000
    assert shown["running"] == 1
    assert shown["workers"] >= 1
    (label, pid, seconds), *_ = lane.running()
    assert label == "nap"
    assert pid == sent.worker[0].pid
    assert seconds < 5
    await sent.future


def test_a_bound_below_one_is_an_error():
    with pytest.raises(ValueError, match="processes=0"):
        ProcessLane(processes=0)


@pytest.mark.slow
async def test_cancels_deaths_and_answers_at_random_lose_nobody(lane, tmp_path):
    rng = random.Random(7)
    meters: dict[str, Meter] = {kind: Meter(kind) for kind in ("same", "mark", "nap", "spin", "die", "large")}
    wrong: list[str] = []

    async def one(number: int) -> None:
        kind = rng.choices(list(meters), [40, 30, 15, 1, 1, 2])[0]
        path = tmp_path / str(number)
        body, args = {
            "same": (bodies.same, (number,)),
            "mark": (bodies.mark, (str(path),)),
            "nap": (bodies.nap, (0.001,)),
            "spin": (bodies.spin, ()),
            "die": (bodies.kill_myself, ()),
            "large": (bodies.same, (bytes(300_000),)),
        }[kind]
        sent = send(lane, body, *args, meter=meters[kind])
        limit = rng.choice([30, 0, 0.001, 0.01, 0.05]) if kind != "spin" else 0.1
        try:
            value = await asyncio.wait_for(asyncio.shield(sent.future), limit)
            if kind == "same" and value != number:
                wrong.append(f"{number} was answered {value}")
        except TimeoutError:
            work = lane.cancel(sent)
            sent.future.cancel()
            if limit == 30:
                wrong.append(f"{kind} {number} was never answered")
            if kind == "mark" and work == "not started":
                await asyncio.sleep(0.02)
                if path.exists():
                    wrong.append(f"{number} ran, though 'not started'")
        except LaneLost as error:
            if kind != "die":
                wrong.append(str(error))

    numbers = iter(range(1500))

    async def caller() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*[caller() for _ in range(50)])
    assert wrong == []
    shown = lane.statistics()
    assert shown["waiting"] == shown["running"] == 0
