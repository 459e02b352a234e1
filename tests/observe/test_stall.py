import asyncio
import gc
import logging
import math
import os
import re
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from linecook._core.context import Frame, current_frame
from linecook._core.events import Event, Events
from linecook.observe import Place, Stall, StallWatch
from linecook.observe.pulse import Pulse


class Fetch(Frame):
    pass


class Watching:
    """A watch of its own over the running loop, and what it said."""

    def __init__(self) -> None:
        self.pulse = Pulse()
        self.watch = StallWatch(pulse=self.pulse)
        self.stalls: list[Stall] = []
        self.unwatches: list[Callable[[], None]] = []

    @property
    def ended(self) -> list[Stall]:
        return [stall for stall in self.stalls if stall.ended]

    def __call__(self, threshold: float = 0.05, **options: object) -> Callable[[], None]:
        loop = asyncio.get_running_loop()
        self.unwatches.append(self.watch.watch(loop, None, threshold, self.stalls.append, **options))  # type: ignore[arg-type]
        return self.unwatches[-1]


@pytest.fixture
def watching() -> Iterator[Watching]:
    watching = Watching()
    yield watching
    for unwatch in watching.unwatches:
        unwatch()
    assert_gone(watching.pulse)


def assert_gone(pulse: Pulse) -> None:
    deadline = time.monotonic() + 5
    while pulse._thread is not None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert pulse._thread is None


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def block_for(seconds: float) -> None:
    time.sleep(seconds)  # the line a report must name


# https://github.com/NousResearch/hermes-agent/pull/60053
async def test_a_sync_call_that_freezes_the_loop_is_reported_with_the_users_line_and_how_long(watching):
    unwatch = watching()
    await asyncio.sleep(0.01)
    block_for(0.2)
    await until(lambda: watching.ended)
    unwatch()
    [stall] = watching.ended
    assert stall.place.file == __file__
    assert stall.place.function == "block_for"
    assert stall.place.source.startswith("time.sleep(seconds)")
    assert 0.05 <= stall.duration <= 2
    assert stall.cause == "step"
    assert f"{__file__}:{stall.place.line} in block_for: time.sleep(seconds)" in str(stall)


class Held:
    pass


def block_and_hold(seconds: float) -> weakref.ref[Held]:
    held = Held()
    time.sleep(seconds)
    return weakref.ref(held)


async def test_what_the_loop_held_while_it_was_looked_at_is_let_go_without_a_collection(watching):
    unwatch = watching()
    await asyncio.sleep(0.01)
    gc.disable()
    try:
        held = block_and_hold(0.1)
        await until(lambda: watching.ended)
        assert held() is None
    finally:
        gc.enable()
    unwatch()


@pytest.mark.slow
async def test_pure_python_work_is_reported(watching):
    unwatch = watching()
    await asyncio.sleep(0.01)
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        sum(range(100))
    await until(lambda: watching.ended)
    unwatch()
    assert {stall.place.function for stall in watching.ended} == {"test_pure_python_work_is_reported"}


@pytest.mark.slow  # the C call must be long beside the looks
async def test_a_c_call_that_holds_the_interpreter_is_reported_when_it_returns_with_the_line_that_called_it(watching):
    unwatch = watching()
    for letters in range(20, 40):  # as long as this machine needs to take half a second over it
        await asyncio.sleep(0.1)
        began = time.monotonic()
        re.match(r"(a+)+$", "a" * letters + "b")
        sum(range(20_000))  # the place where it gives the interpreter up isn't left at once
        if time.monotonic() - began > 0.5:
            break
    await until(lambda: any(stall.duration > 0.1 for stall in watching.ended))
    unwatch()
    longest = max(watching.ended, key=lambda stall: stall.duration)
    assert longest.place.file == __file__
    assert longest.cause == "step"


async def test_the_call_under_way_is_named(watching):
    unwatch = watching()
    frame = Fetch()

    async def body() -> None:
        current_frame.set(frame)
        await asyncio.sleep(0.01)
        block_for(0.15)

    await asyncio.create_task(body())
    await until(lambda: watching.ended)
    unwatch()
    assert watching.ended[0].frame is frame
    assert watching.ended[0].whose == "fetch"
    assert "in fetch" in str(watching.ended[0])


async def test_whoever_asks_to_name_what_runs_is_asked(watching):
    unwatch = watching(whose=lambda loop: "the third cook")
    await asyncio.sleep(0.01)
    block_for(0.15)
    unwatch()
    assert watching.ended[0].whose == "the third cook"


async def test_a_c_function_called_by_the_loop_itself_is_named(watching):
    unwatch = watching()
    asyncio.get_running_loop().call_later(0.01, time.sleep, 0.15)
    await until(lambda: watching.ended)
    unwatch()
    assert "built-in function sleep" in watching.ended[0].place.source


async def test_a_stall_that_goes_on_when_the_watch_ends_is_reported(watching):
    unwatch = watching()
    await asyncio.sleep(0.01)
    block_for(0.2)
    unwatch()
    assert [stall.place.function for stall in watching.ended] == ["block_for"]
    unwatch()
    assert len(watching.ended) == 1


async def test_the_event_stream_hears_of_the_beginning_and_of_the_end(watching):
    events, heard = Events(), list[Event]()
    events.subscribe(heard.append)
    unwatch = watching(events=events)
    await asyncio.sleep(0.01)
    block_for(0.15)
    await until(lambda: len(heard) >= 2)
    unwatch()
    began, ended = heard[:2]
    assert (began.kind, ended.kind) == ("stall.began", "stall.ended")
    assert began.data["place"].function == "block_for"
    assert ended.data["duration"] >= began.data["duration"] >= 0.05
    assert ended.data["stall"] in watching.ended


@pytest.mark.slow  # what is promised happens after a second
async def test_a_stall_of_a_second_is_spoken_of_before_it_ends_and_again_when_it_has(watching):
    unwatch = watching()
    await asyncio.sleep(0.01)
    block_for(1.5)
    await until(lambda: watching.ended)
    unwatch()
    assert [stall.ended for stall in watching.stalls] == [False, True]
    assert 1 <= watching.stalls[0].duration <= watching.stalls[1].duration
    assert "so far" in str(watching.stalls[0])
    assert "so far" not in str(watching.stalls[1])


@pytest.mark.slow
async def test_many_short_steps_in_a_row_are_no_stall(watching):
    unwatch = watching(threshold=0.2)

    async def short_steps() -> None:
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            await asyncio.sleep(0)

    await asyncio.gather(*(short_steps() for _ in range(50)))
    unwatch()
    assert watching.stalls == []


async def test_an_idle_loop_is_never_woken(watching):
    unwatch = watching(threshold=0.01)
    loop = asyncio.get_running_loop()
    passes = 0
    once = loop._run_once  # type: ignore[attr-defined]

    def counted() -> None:
        nonlocal passes
        passes += 1
        once()

    loop._run_once = counted  # type: ignore[attr-defined]
    try:
        await asyncio.sleep(0.15)
    finally:
        del loop._run_once  # type: ignore[attr-defined]
    unwatch()
    assert passes <= 3  # some fifteen looks were taken
    assert watching.stalls == []


async def test_a_stop_in_the_debugger_is_no_stall(watching):
    unwatch = watching()
    debugger: dict[str, object] = {"__name__": "pdb", "sleep": time.sleep}
    exec("def interaction(): sleep(0.2)", debugger)
    await asyncio.sleep(0.01)
    debugger["interaction"]()  # type: ignore[operator]
    await asyncio.sleep(0.01)
    unwatch()
    assert watching.stalls == []


@pytest.mark.slow  # a process of its own, stopped for half a second
def test_a_stopped_process_is_no_stall():
    program = """
import asyncio, time
from linecook.observe import StallWatch
async def step_on():
    stalls = []
    StallWatch().watch(asyncio.get_running_loop(), None, 0.3, stalls.append)
    print("ready", flush=True)
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    await asyncio.sleep(0.05)
    print([stall.duration for stall in stalls if stall.duration > 1])
asyncio.run(step_on())
"""
    told: list[str] = []
    while "[]\n" not in told and len(told) < 3:  # where others use the CPUs, we may wait for the interpreter that long
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            os.kill(process.pid, 19)  # SIGSTOP
            time.sleep(1.2)
            os.kill(process.pid, 18)  # SIGCONT
            told.append(process.stdout.read())
    assert "[]\n" in told, told


@pytest.mark.slow  # ten threads of pure Python must get in the way
async def test_a_loop_that_waits_for_the_interpreter_blames_the_threads_that_hold_it(watching):
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=busy) for _ in range(10)]
    unwatch = watching()
    try:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        while not any(stall.cause == "others" for stall in watching.stalls) and time.monotonic() < deadline:
            await asyncio.sleep(0)
            end = time.thread_time() + 0.02  # a short step, which the others make long
            while time.thread_time() < end:
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        unwatch()
    blamed = [stall for stall in watching.stalls if stall.cause == "others"]
    assert blamed
    assert "which other threads held" in str(blamed[0])


async def test_two_loops_on_two_threads_are_told_apart(watching):
    unwatch = watching()
    others: list[Stall] = []

    async def other() -> None:
        unwatch = watching.watch.watch(asyncio.get_running_loop(), None, 0.05, others.append)
        await asyncio.sleep(0.01)
        block_for(0.15)
        unwatch()

    thread = threading.Thread(target=lambda: asyncio.run(other()))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.005)
    thread.join()
    unwatch()
    assert [stall.place.function for stall in others if stall.ended] == ["block_for"]
    assert not [stall for stall in watching.ended if stall.place.function == "block_for"]


async def test_one_that_fails_to_listen_harms_nobody(watching, caplog):
    def fail(stall: Stall) -> None:
        raise ZeroDivisionError

    unwatch = watching.watch.watch(asyncio.get_running_loop(), None, 0.05, fail)
    await asyncio.sleep(0.01)
    block_for(0.15)
    unwatch()
    assert "on_stall=" in caplog.text


async def test_the_log_is_told_where_nobody_else_is(watching, caplog):
    unwatch = watching.watch.watch(asyncio.get_running_loop(), threshold=0.05)
    await asyncio.sleep(0.01)
    with caplog.at_level(logging.WARNING, "linecook"):
        block_for(0.15)
        unwatch()
    [record] = [record for record in caplog.records if record.name == "linecook"]
    assert "the event loop stood still for 0." in record.getMessage()
    assert "in block_for" in record.getMessage()


@pytest.mark.parametrize("threshold", [0, -1, math.nan])
async def test_a_threshold_that_is_none_is_refused_with_the_cure(threshold):
    with pytest.raises(ValueError, match=r"stall=None"):
        StallWatch().watch(asyncio.get_running_loop(), None, threshold)


def test_a_closed_loop_is_no_trouble(watching):
    loop = asyncio.new_event_loop()
    unwatch = watching.watch.watch(loop, None, 0.02, watching.stalls.append)
    loop.close()
    time.sleep(0.05)
    unwatch()
    assert watching.stalls == []


def test_uvloop_is_watched_as_well(watching):
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        unwatch = watching()
        await asyncio.sleep(0.06)
        assert watching.stalls == []
        block_for(0.25)
        await until(lambda: watching.ended)
        unwatch()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    assert [stall.place.function for stall in watching.ended] == ["block_for"]


def test_a_line_of_asyncio_is_not_blamed_for_what_other_threads_do():
    line = Place(asyncio.selector_events.__file__, 132, "_read_from_self", "data = self._ssock.recv(4096)")
    told = str(Stall(line, None, None, 0.2, ended=True, cause="others"))
    assert told.startswith("the event loop waited 0.20 s for the interpreter, which other threads held. ")
    assert "selector_events" not in told


async def test_a_loop_in_virtual_time_is_watched_in_real_time_and_left_alone(watching):
    class Virtual(asyncio.SelectorEventLoop):
        """An hour passes for it whenever it would wait."""

        skipped = 0.0

        def time(self) -> float:
            return super().time() + self.skipped

        def _run_once(self) -> None:
            self.skipped += 3600.0
            super()._run_once()  # type: ignore[misc]

    async def main() -> None:
        unwatch = watching.watch.watch(asyncio.get_running_loop(), None, 0.05, watching.stalls.append)
        for _ in range(50):
            await asyncio.sleep(1800)
        unwatch()

    def run() -> None:
        with asyncio.Runner(loop_factory=Virtual) as runner:
            runner.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert watching.stalls == []


@pytest.mark.slow
async def test_what_keeps_the_loop_busy_is_sampled_call_by_call():
    from linecook import Runtime, agent, gather

    @agent
    async def grind(number):
        done = time.monotonic() + 0.15
        while time.monotonic() < done:
            pass
        await asyncio.sleep(0)

    async with Runtime(stall=10) as runtime:
        await gather(grind(number) for number in range(4))
        rows = {row.name: row for row in runtime.report().rows}
    assert rows["grind"].lane == "loop"
    assert rows["grind"].samples > 3
    assert rows["grind"].wall > 0.1


@pytest.mark.slow
async def test_a_step_that_takes_several_agents_further_names_the_one_at_work(watching):
    from linecook import agent, gather, tool

    @tool
    def quick():
        return 1

    @agent
    async def slow(number):
        await quick()
        if number == 3:
            time.sleep(0.4)

    watching()
    await gather(slow(number) for number in range(5))
    await until(lambda: watching.ended)
    assert any("slow[3]" in (stall.whose or "") for stall in watching.ended)
