r"""Ctrl-\ under ``run``: a look at who waits for whom, and the program goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from linecook import run
from linecook._runtime.quit import take_quit

STUCK = """
import asyncio, os, signal, sys, threading, time
from linecook import agent, run

async def takes(first, second):
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass

@agent
async def main():
    a, b = asyncio.Lock(), asyncio.Lock()
    tasks = [asyncio.create_task(takes(a, b)), asyncio.create_task(takes(b, a))]
    await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return "went on"

print(run(main()))
print(signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL)
"""


@pytest.mark.slow
def test_a_stuck_program_says_so_and_goes_on(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    program = subprocess.Popen(
        [sys.executable, "stuck.py"], cwd=tmp_path, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stderr is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(signal.SIGQUIT)
    told = ""
    while "ALL TASKS" not in told:
        line = program.stderr.readline()
        assert line, told
        told += line
    said, rest = program.communicate("\n", timeout=20)
    assert program.returncode == 0, rest
    assert said == "went on\nTrue\n"
    assert "DEADLOCK: these 2 tasks wait for each other" in told
    assert "async with second:" in told


HANDED_TO_ANOTHER = """
import asyncio, os, signal, threading, time
from linecook import run

def presses():
    os.kill(os.getpid(), signal.SIGQUIT)
    time.sleep(0.02)  # the main thread has taken it, and waits for events again
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

async def main():
    threading.Thread(target=presses).start()
    await asyncio.sleep(600)

run(main())
"""


@pytest.mark.slow
def test_ctrl_c_right_behind_is_heard_though_another_thread_got_it(tmp_path: Path, environment: dict[str, str]) -> None:
    """Linux hands it to another thread while the main one has yet to take Ctrl-\\: the loop slept on."""
    (tmp_path / "presses.py").write_text(HANDED_TO_ANOTHER)
    program = subprocess.Popen(
        [sys.executable, "presses.py"], cwd=tmp_path, env=environment, text=True, stderr=subprocess.PIPE
    )
    try:
        assert program.stderr is not None
        told = ""
        while "Ctrl-C again cancels it" not in told:  # else it's never said, and a test has 60 s
            told = program.stderr.readline()
            assert told, "it ended"
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=20)
        assert program.returncode == -signal.SIGINT
    finally:
        program.kill()
        program.communicate(timeout=20)


def test_a_handler_of_somebody_elses_stays() -> None:
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    try:

        async def nothing() -> object:
            return signal.getsignal(signal.SIGQUIT)

        assert run(nothing()) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGQUIT, before)


def test_outside_of_the_main_thread_nothing_is_touched() -> None:
    before = signal.getsignal(signal.SIGQUIT)
    thread = threading.Thread(target=lambda: take_quit()())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGQUIT) is before


def test_the_handler_lasts_as_long_as_the_run() -> None:
    before = signal.getsignal(signal.SIGQUIT)
    seen: list[object] = []

    async def looks() -> None:
        seen.append(signal.getsignal(signal.SIGQUIT))
        os.getpid()

    run(looks())
    assert seen[0] is not before
    assert signal.getsignal(signal.SIGQUIT) is before
