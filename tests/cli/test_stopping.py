"""Ctrl-Z: the terminal is given back before the process stands, and taken when it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from linecook.cli.stopping import Stopping

STANDS = """
import os, signal
from linecook.cli.stopping import Stopping
# Past print: the signal may come in the middle of one.
stopping = Stopping(lambda: os.write(1, b"given back\\n"), lambda: os.write(1, b"taken\\n"))
print("ready", flush=True)
for line in open(0):
    print(line.strip(), flush=True)
stopping.forget()
print(signal.getsignal(signal.SIGTSTP).name, flush=True)
"""


@pytest.mark.slow
def test_it_is_given_back_before_the_process_stands_and_taken_each_time_it_goes_on(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STANDS], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        process_group=0,  # of a group without a parent beside it nobody could continue it: Linux stops none
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for word in ("once", "twice"):
            os.kill(process.pid, signal.SIGTSTP)
            assert process.stdout.readline() == "given back\n"
            assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
            os.kill(process.pid, signal.SIGCONT)
            assert process.stdout.readline() == "taken\n"
            print(word, file=process.stdin, flush=True)
            assert process.stdout.readline() == f"{word}\n"
        process.stdin.close()
        assert process.stdout.read() == "SIG_DFL\n"


def test_who_has_the_signal_keeps_it() -> None:
    def mine(*_: Any) -> None: ...

    before = signal.signal(signal.SIGTSTP, mine)
    try:
        stopping = Stopping(pytest.fail, pytest.fail)
        assert signal.getsignal(signal.SIGTSTP) is mine
        stopping.forget()
        assert signal.getsignal(signal.SIGTSTP) is mine
    finally:
        signal.signal(signal.SIGTSTP, before)


def test_outside_the_main_thread_it_does_nothing() -> None:
    before = signal.getsignal(signal.SIGTSTP)
    made: list[Stopping] = []
    thread = threading.Thread(target=lambda: made.append(Stopping(pytest.fail, pytest.fail)))
    thread.start()
    thread.join()
    assert made
    assert signal.getsignal(signal.SIGTSTP) is before
