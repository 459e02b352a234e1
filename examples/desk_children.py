"""Run one way in a process of its own, show what it tells, and see whether it ends by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from desk_plan import Result
from desk_rules import Finding
from desk_terminal import Terminal

__all__ = ["ChildFailed", "Run", "result_of", "run_child"]

PATIENCE = 2.0
"""Seconds that a process has to end once its work is done."""


class ChildFailed(OSError):
    """A child ended without a result; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Run:
    """One way's result, and the seconds its process took to end after it; None when it had to be killed."""

    result: Result
    exited: float | None


def run_child(command: list[str], *, show: bool) -> Run:
    """Run *command*, print its progress, and its findings where *show* says so; return its result.

    Raises:
      ChildFailed: it ended without a result.
    """
    data, exited = result_of(command, show=show)
    return Run(_result(data), exited)


def result_of(command: list[str], *, show: bool = False) -> tuple[dict[str, Any], float | None]:
    """Run *command* as ``run_child`` does; return its result as it came, and the seconds it took to end after it.

    The child leads a group of its own, so that its workers end with it, here at the latest.
    """
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
        try:
            result = _listen(child, show)
            if result is None:
                said.seek(0)
                words = said.read().decode(errors="replace")[-3000:]
                raise ChildFailed(f"{command[3]!r} ended without a result:\n{words}")
            return result, _wait_exit(child)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()


def _listen(child: subprocess.Popen[bytes], show: bool) -> dict[str, Any] | None:
    assert child.stdout is not None
    terminal = Terminal()
    for line in child.stdout:
        message = json.loads(line)
        if "result" in message:
            terminal.end()
            result: dict[str, Any] = message["result"]
            return result
        if "finding" in message and show:
            terminal.show(_finding(message["finding"]))
        if "progress" in message:
            terminal.tick(**message["progress"])
    return None


def _wait_exit(child: subprocess.Popen[bytes]) -> float | None:
    began = time.monotonic()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    return time.monotonic() - began


def _result(data: dict[str, Any]) -> Result:
    data["read"] = {int(key): value for key, value in data["read"].items()}
    data["lost"] = {int(key): value for key, value in data["lost"].items()}
    data["findings"] = [_finding(item) for item in data["findings"]]
    return Result(**data)


def _finding(data: dict[str, Any]) -> Finding:
    data["chain"] = tuple(data["chain"])
    return Finding(**data)
