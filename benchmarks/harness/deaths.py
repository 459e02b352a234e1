"""Watches workers die, from a process of its own: ``python -m benchmarks.harness.deaths LOG``.

LOG gets a line ``number pid monotonic`` from every call as its body starts (`started`). The pids of the calls that hang
are watched through pidfds; when stdin closes, what was seen is printed as JSON: ``{pid: monotonic time of death}``.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


def started(log: str, number: int, *, hangs: bool) -> None:
    """Write that call *number* begins in this process; one write, so that lines of several workers never mix."""
    line = f"{number} {os.getpid()} {time.monotonic()} {int(hangs)}\n"
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@dataclass(frozen=True, slots=True)
class Start:
    """One line of the log."""

    number: int
    pid: int
    at: float
    hangs: bool


def read(log: Path) -> list[Start]:
    """Return the log, in the order it was written."""
    lines = log.read_text().splitlines() if log.exists() else []
    starts = []
    for line in lines:
        number, pid, at, hangs = line.split()
        starts.append(Start(int(number), int(pid), float(at), hangs == "1"))
    return starts


def watch(log: Path) -> dict[int, float]:
    """Watch until stdin closes and nobody watched is alive, or 1 s after it; return when each process died."""
    poll, watched, deaths, seen = select.poll(), dict[int, int](), dict[int, float](), 0
    poll.register(0, select.POLLIN)
    end = float("inf")
    # The last caller is answered before its worker is dead: so on for a while.
    while time.monotonic() < end and (watched or end == float("inf")):
        for fd, _ in poll.poll(5):
            if fd == 0:
                poll.unregister(0)
                end = time.monotonic() + 1.0
                continue
            deaths[watched.pop(fd)] = time.monotonic()
            poll.unregister(fd)
            os.close(fd)
        starts = read(log)
        for start in starts[seen:]:
            if start.hangs:
                fd = os.pidfd_open(start.pid)
                watched[fd] = start.pid
                poll.register(fd, select.POLLIN)
        seen = len(starts)
    return deaths


class Watcher:
    """The watching process, as the one who starts it sees it."""

    def __init__(self, log: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.harness.deaths", str(log)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self) -> dict[int, float]:
        """Return what it saw."""
        seen, _ = self._process.communicate("")
        return {int(pid): at for pid, at in json.loads(seen).items()}


if __name__ == "__main__":
    print(json.dumps(watch(Path(sys.argv[1]))))
