"""Signals, pipes and long inputs: what only a process of its own can show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import IO, Any

import pytest

JOBS = """
import asyncio, os, sys, time
from linecook import agent, tool

async def nap(seconds: float) -> float:
    sys.stderr.write(f"began {seconds}\\n"); sys.stderr.flush()
    await asyncio.sleep(seconds)
    return seconds

def echo(n: int) -> int:
    return n

@tool
def block(seconds: float) -> float:
    sys.stderr.write(f"began {seconds}\\n"); sys.stderr.flush()
    time.sleep(seconds)
    return seconds

async def wide(n: int) -> str:
    return "x" * 10_000
"""


@pytest.fixture
def jobs(kitchen: Any) -> str:
    return str(kitchen.write("jobs_cli.py", JOBS))


def until(stream: IO[bytes], *words: str) -> str:
    """Read lines until each of *words* was seen."""
    seen = ""
    for line in stream:
        seen += line.decode()
        if all(word in seen for word in words):
            return seen
    raise AssertionError(f"never said {words}: {seen}")


def records(out: bytes) -> list[dict[str, Any]]:
    return sorted((json.loads(line) for line in out.splitlines()), key=lambda record: record["line"])


@pytest.mark.slow
def test_ctrl_c_once_finishes_what_runs_and_takes_nothing_new(kitchen: Any, jobs: str) -> None:
    items = kitchen.items(*[0.6, 0.7], *[30] * 100)
    with kitchen.start(f"{jobs}:nap", "--input", items, "--concurrency", "2") as process:
        said = until(process.stderr, "began 0.6", "began 0.7")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    said += err.decode()
    assert process.returncode == 130, said
    assert [(record["line"], record["outcome"]) for record in records(out)] == [(1, "ok"), (2, "ok")]
    assert "Ctrl-C" in said
    assert "again" in said  # what the next one will do is said
    assert "not started: 100" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_ctrl_c_twice_cancels_what_runs_and_records_it(kitchen: Any, jobs: str) -> None:
    items = kitchen.items(*[30] * 10)
    with kitchen.start(f"{jobs}:nap", "--input", items, "--concurrency", "1") as process:
        said = until(process.stderr, "began 30")
        process.send_signal(signal.SIGINT)
        said += until(process.stderr, "Ctrl-C")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    said += err.decode()
    assert process.returncode == 130, said
    assert [(record["line"], record["outcome"]) for record in records(out)] == [(1, "cancelled")]
    assert "1 cancelled; not started: 9" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_ctrl_c_ends_a_wait_for_a_silent_pipe(kitchen: Any, jobs: str) -> None:
    with kitchen.start(f"{jobs}:echo", "--input", "-", stdin=subprocess.PIPE) as process:
        process.stdin.write(b"1\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["value"] == 1  # each outcome is there when it is there
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        assert process.returncode == 130, process.stderr.read()


@pytest.mark.slow
def test_ctrl_c_while_a_pipe_is_silent_still_finishes_what_runs(kitchen: Any, jobs: str) -> None:
    with kitchen.start(f"{jobs}:nap", "--input", "-", stdin=subprocess.PIPE) as process:
        process.stdin.write(b"0.6\n")
        process.stdin.flush()
        said = until(process.stderr, "began 0.6")
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
        process.wait(timeout=20)
    assert process.returncode == 130, said + err.decode()
    assert [record["outcome"] for record in records(out)] == ["ok"]


@pytest.mark.slow
def test_ctrl_c_in_one_call_once_waits_for_its_value(kitchen: Any, jobs: str) -> None:
    with kitchen.start(f"{jobs}:nap", "0.6") as process:
        said = until(process.stderr, "began 0.6")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, b"0.6\n"), err
    assert "Traceback" not in said + err.decode()


@pytest.mark.slow
def test_ctrl_c_while_the_module_is_imported_ends_quietly(kitchen: Any) -> None:
    slow = kitchen.write("slow_cli.py", "import sys, time\nprint('importing', file=sys.stderr)\ntime.sleep(30)\n")
    with kitchen.start(f"{slow}:f") as process:
        until(process.stderr, "importing")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.slow
def test_ctrl_c_thrice_ends_at_once_even_in_a_blocking_body(kitchen: Any, jobs: str) -> None:
    with kitchen.start(f"{jobs}:block", "--input", kitchen.items(30, 30), "--concurrency", "1") as process:
        until(process.stderr, "began 30")
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        assert process.poll() in (130, -signal.SIGINT)
        process.communicate()


@pytest.mark.slow
def test_a_closed_pipe_downstream_ends_quietly_with_141(kitchen: Any, jobs: str) -> None:
    items = kitchen.items(*range(100_000))
    with kitchen.start(f"{jobs}:wide", "--input", items, "--quiet") as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=30)
        err = process.stderr.read().decode()
    assert process.returncode == 141, err
    assert "Traceback" not in err
    assert "whoever read standard output has gone" in err


@pytest.mark.slow
def test_one_value_into_a_closed_pipe_ends_quietly_with_141(kitchen: Any, jobs: str) -> None:
    with kitchen.start(f"{jobs}:nap", "0.1") as process:
        process.stdout.close()
        process.wait(timeout=30)
        err = process.stderr.read().decode()
    assert process.returncode == 141, err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_pipe_is_read_as_it_comes_and_a_share_of_it_is_refused(kitchen: Any, jobs: str) -> None:
    with kitchen.start(f"{jobs}:echo", "--input", "-", "--fail-on", "2%", stdin=subprocess.PIPE) as process:
        _, err = process.communicate(b"1\n", timeout=20)
    assert process.returncode == 2
    assert b"a pipe has none: give a count" in err


@pytest.mark.slow
def test_an_endless_input_runs_in_constant_memory(kitchen: Any) -> None:
    kitchen.write(
        "memory_cli.py",
        "import resource\nasync def f(n, text):\n return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n",
    )
    line = json.dumps({"n": 1, "text": "y" * 20_000})
    path = kitchen.directory / "big.jsonl"
    with path.open("w") as file:
        for _ in range(3_000):  # 60 MB
            file.write(line + "\n")
    with kitchen.start("memory_cli.py:f", "--input", "big.jsonl", "--quiet") as process:
        out, err = process.communicate(timeout=60)
    used = [record["value"] for record in records(out)]
    assert len(used) == 3_000, err
    assert max(used) - used[0] < 40, "MB more than at the first line"


@pytest.mark.slow
def test_an_input_that_breaks_off_is_said(kitchen: Any, jobs: str) -> None:
    # /proc/self/mem can be opened and not read: a disk that fails.
    with kitchen.start(f"{jobs}:echo", "--input", "/proc/self/mem") as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert b"the input could not be read to its end: Input/output error" in err
    assert b"Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.0, 0.01, 0.03, 0.1, 0.3])
def test_ctrl_c_at_any_moment_ends_with_130_and_no_traceback(kitchen: Any, moment: float) -> None:
    text = "import asyncio, sys\nprint('imported', file=sys.stderr, flush=True)\nnap = asyncio.sleep\n"
    kitchen.write("moment_cli.py", text + "async def f(s: float) -> None:\n await nap(s)\n")
    items = kitchen.items(*[0.01] * 20_000)
    with kitchen.start("moment_cli.py:f", "--input", items, "--concurrency", "5") as process:
        said = until(process.stderr, "imported")
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    said += err.decode()
    # A KeyboardInterrupt that passed through exec() of a text (as dataclasses do it) makes Python end by the signal
    # itself whatever exit code is asked for; a shell reports 130 for both.
    assert process.returncode in (130, -signal.SIGINT), said
    # Python itself may print one: a KeyboardInterrupt that it drops. It is heard all the same.
    assert "Traceback" not in said or "Exception ignored in" in said
    assert all(record["outcome"] == "ok" for record in records(out))


@pytest.mark.slow
def test_help_is_there_in_no_time(environment: dict[str, str]) -> None:
    def cpu(*words: str) -> float:
        spent: list[float] = []
        for _ in range(3):
            began = os.times()
            subprocess.run([sys.executable, *words], env=environment, capture_output=True, check=True)
            ended = os.times()
            spent.append(sum(ended[2:4]) - sum(began[2:4]))  # of children: a busy machine doesn't count
        return min(spent)

    # Against what it can't do without; the figure itself is a benchmark's.
    assert cpu("-m", "linecook", "--help") < cpu("-c", "import linecook, argparse") * 1.5 + 0.05
