"""The bound of rows that compute: as many bare processes as there are cores, each with its share from the start."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.harness.meter import Meter

WORKERS = 2


def in_two_processes(meter: Meter, compute: Callable[[int], Any], many: int) -> list[list[Any]]:
    """Compute 0, 1, 2 … up to *many*, dealt out in turn; return the answers of each process, in its order."""
    context = multiprocessing.get_context("forkserver")
    lines = []
    for first in range(WORKERS):
        ours, theirs = context.Pipe()
        numbers = range(first, many, WORKERS)
        context.Process(target=_share, args=(theirs, compute, numbers), daemon=True).start()
        theirs.close()
        lines.append(ours)
    for line in lines:
        line.recv()
    with meter.timing():
        for line in lines:
            line.send("go")
        return [line.recv() for line in lines]


def _share(line: Connection, compute: Callable[[int], Any], numbers: range) -> None:
    compute(0)
    line.send("ready")
    line.recv()
    line.send([compute(number) for number in numbers])
