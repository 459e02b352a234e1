"""Runs the implementations of a row, each measurement in a fresh process, rounds interleaved A B C, C B A."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.harness.child import MARK
from benchmarks.harness.row import Row

ROOT = Path(__file__).parent.parent.parent
EXIT_LIMIT = 4.0  # seconds a program may take to end, once it has its answers, before we say it never does


@dataclass(slots=True)
class Series:
    """What one implementation did: figures per round (``None`` where it failed), and the first problem."""

    rounds: list[dict[str, float] | None] = field(default_factory=list)
    problem: str = ""


def environment() -> dict[str, str]:
    """Return the environment of a measurement: ours, with bytecode kept in a folder of this run.

    Where bytecode is never written (``PYTHONDONTWRITEBYTECODE``, a read-only install) every new interpreter, and with
    it every worker process, compiles all it imports: a figure of the compiler and not of the library.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": _bytecode().name}


@cache
def _bytecode() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bytecode-")  # removed when this interpreter ends


def measure(row: str, name: str, size: dict[str, Any], limit: float) -> dict[str, Any]:
    """Run one implementation in a process of its own.

    Returns:
      ``{"figures": …}``, with ``exit_s`` (missing when the program had not ended after 4 s), or ``{"problem": …}``.
    """
    command = [sys.executable, "-m", "benchmarks.harness.child", row, name, json.dumps(size)]
    # A session of its own, so that whatever it leaves behind ends with it; stderr to a file, which never blocks.
    with (
        tempfile.TemporaryFile("w+") as stderr,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as child,
    ):
        timer = threading.Timer(limit, _kill, [child])
        timer.start()
        try:
            said = _listen(child)
            timer.cancel()
            if said is None:
                return {"problem": f"no answer ({_last_words(child, stderr, limit)})"}
            _time_the_exit(child, said)
        finally:
            timer.cancel()
            _kill(child)
    return said


def _listen(child: subprocess.Popen[str]) -> dict[str, Any] | None:
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(MARK):
            said: dict[str, Any] = json.loads(line.removeprefix(MARK))
            return said
    return None


def _time_the_exit(child: subprocess.Popen[str], said: dict[str, Any]) -> None:
    answered = time.perf_counter()
    try:
        child.wait(EXIT_LIMIT)
    except subprocess.TimeoutExpired:
        pass
    else:
        if "figures" in said:
            said["figures"]["exit_s"] = time.perf_counter() - answered


def _kill(child: subprocess.Popen[str]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def _last_words(child: subprocess.Popen[str], stderr: Any, limit: float) -> str:
    child.wait()
    if child.returncode == -signal.SIGKILL:
        return f"stopped after {limit:g} s"
    stderr.seek(0)
    lines = stderr.read().strip().splitlines()
    return lines[-1] if lines else f"exit code {child.returncode}"


def order(names: Iterable[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Yield (round, name): forward, then backward, so that a slow drift of the machine favours nobody."""
    forward = list(names)
    for number in range(rounds):
        for name in forward if number % 2 == 0 else reversed(forward):
            yield number, name


def run_row(
    row_name: str, row: Row, size: dict[str, Any], rounds: int, tell: Callable[[str], None]
) -> dict[str, Series]:
    """Measure all implementations of a row; one that failed once isn't asked again."""
    series = {name: Series() for name in row.implementations}
    for number, name in order(row.implementations, rounds):
        one = series[name]
        if one.problem:
            one.rounds.append(None)
            continue
        tell(f"{row_name}: round {number + 1} of {rounds}, {name}")
        said = measure(row_name, name, size, row.time_limit)
        one.rounds.append(said.get("figures"))
        one.problem = said.get("problem", "")
    return series
