"""``run``: a whole program, its result, its errors, and Ctrl-C as people expect it."""

import asyncio
import gc
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from linecook import Runtime, agent, run, scope, tool
from linecook._runtime.run import _say  # pyright: ignore[reportPrivateUsage]
from linecook.errors import UsageError

SRC = str(Path(__file__).parents[2] / "src")


@agent
async def answer(value: int = 42) -> int:
    await asyncio.sleep(0)
    return value


def program(text: str, *args: str) -> "subprocess.Popen[str]":
    """Start *text* as a script of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": SRC},
    )


def press_and_hear(process: "subprocess.Popen[str]", word: str) -> None:
    """Press Ctrl-C, and wait until the program says so: of two signals that wait to be taken, the kernel makes one."""
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    while word not in process.stderr.readline():
        assert process.poll() is None


def test_run_returns_what_the_program_returns() -> None:
    assert run(answer()) == 42


def test_run_takes_a_plain_coroutine() -> None:
    assert run(asyncio.sleep(0, "slept")) == "slept"


def test_run_raises_what_the_program_raises() -> None:
    @agent
    async def fails() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(fails())


def test_run_inside_a_loop_says_to_await() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="await"):
            run(answer())

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [answer, 3, None])
def test_what_is_no_call_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(UsageError):
        run(wrong)


def test_an_unknown_show_is_refused() -> None:
    with pytest.raises(UsageError, match="'report'"):
        run(answer(), show="board")  # type: ignore[arg-type]


def test_the_collector_and_the_signal_handler_are_as_before() -> None:
    thresholds, handler = gc.get_threshold(), signal.getsignal(signal.SIGINT)

    async def inside() -> tuple[int, int, int]:
        return gc.get_threshold()

    assert run(inside())[0] > thresholds[0]
    assert gc.get_threshold() == thresholds
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_runtime_given_is_the_one_used() -> None:
    @tool
    def work() -> int:
        return 1

    runtime = Runtime(threads=3, max_threads=5)
    assert run(work(), runtime=runtime) == 1
    assert runtime.statistics()["thread"]["max_threads"] == 5


def test_show_report_prints_the_placement_report_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    @tool
    def work() -> None:
        time.sleep(0.001)

    run(work(), show="report")
    assert "work" in capsys.readouterr().err


def test_run_works_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    assert run(answer(), loop_factory=uvloop.new_event_loop) == 42


SETTLING = """
    import asyncio, sys, time
    from linecook import agent, run, settle, gather, tool
    from linecook.errors import Interrupted

    @tool
    def work(n):
        print("began", n, flush=True)
        time.sleep(0.3)
        return n

    @agent
    async def main():
        reports = await settle((work(n) for n in range(1000)), limit=2)
        print(reports.counts["ok"] <= 4, [str(o) for o in reports][-1], len(reports), flush=True)
        try:
            await gather([work(n) for n in range(10)])
        except Interrupted as error:
            print("gather:", error, flush=True)
        return "partial"

    try:
        run(main())
    except KeyboardInterrupt as error:
        print("result", error.result, flush=True)
        raise
"""


@pytest.mark.slow
def test_ctrl_c_once_finishes_what_runs_and_begins_nothing_new() -> None:
    process = program(SETTLING)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "True Cancelled('shutdown') 1000" in out
    assert "gather: 10 of 10 calls" in out
    assert "result partial" in out
    assert "what runs is finished" in err
    assert process.returncode in (130, -signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_twice_cancels_everything() -> None:
    process = program("""
        import asyncio
        from linecook import agent, run

        @agent
        async def main():
            print("began", flush=True)
            try:
                await asyncio.sleep(60)
            finally:
                print("tidied", flush=True)

        run(main())
    """)
    assert process.stdout is not None
    process.stdout.readline()
    press_and_hear(process, "stopping")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "tidied" in out
    assert "cancelling everything" in err
    assert process.returncode in (130, -signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_a_third_time_ends_the_process_whatever_it_does() -> None:
    process = program("""
        import asyncio
        from linecook import agent, run

        @agent
        async def main():
            print("began", flush=True)
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    print("swallowed", flush=True)

        run(main())
    """)
    assert process.stdout is not None
    process.stdout.readline()
    press_and_hear(process, "stopping")
    press_and_hear(process, "cancelling")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT


@pytest.mark.slow
def test_hung_threads_delay_neither_the_return_nor_the_exit() -> None:
    # the process never exits with asyncio.to_thread: python/cpython#111358
    process = program("""
        import time
        from linecook import run, settle, tool

        @tool(timeout=0.2)
        def hang(n):
            time.sleep(3600)

        async def main():
            reports = await settle(hang(n) for n in range(100))
            print(reports.counts["timed_out"], {o.work for o in reports}, flush=True)

        run(main())
    """)
    out, err = process.communicate(timeout=30)
    assert out == "100 {'abandoned'}\n"
    assert process.returncode == 0, err


def test_a_task_that_never_ends_does_not_keep_run_from_returning(caplog: pytest.LogCaptureFixture) -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                pass

    async def polite() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.05)
            log.append("cleaned up")

    async def main() -> str:
        keep.append(asyncio.create_task(polite()))
        try:
            async with scope(grace=0.01) as s:
                s.start(stubborn())
                await asyncio.sleep(0)
                raise ValueError
        except ValueError:
            await asyncio.sleep(0.1)
        return "done"

    log: list[str] = []
    keep: list[Any] = []
    began = time.monotonic()
    assert run(main()) == "done"
    assert time.monotonic() - began < 4
    assert log == ["cleaned up"]
    assert "stubborn(...) was asked 3 times to end" in caplog.text
    gc.collect()
    assert "destroyed" not in caplog.text


def test_a_runtime_that_was_opened_before_is_refused_and_the_call_given_up() -> None:
    runtime = Runtime()
    assert run(answer(), runtime=runtime) == 42
    with pytest.raises(RuntimeError, match="opened before"):
        run(answer(), runtime=runtime)  # without a warning that the call was never awaited
    gc.collect()


def test_what_is_said_while_standard_error_is_being_written_is_said_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A second Ctrl-C may come in the middle of the words for the first."""

    class BeingWritten(io.StringIO):
        def write(self, text: str) -> int:
            raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    monkeypatch.setattr(sys, "stderr", BeingWritten())
    _say("cancelling everything")
    assert capfd.readouterr().err == "\nlinecook: cancelling everything\n"
