"""When the caller is answered, and when the work ends, for six kinds of body under a deadline of 0.25 s."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from _plot import FAINT, INK, OURS, STDLIB, figure, main, save

DEADLINE = 0.25
WORK = 1.0  # seconds that every body would work
GRACE = 0.1

KINDS = {
    "awaits": "async def that awaits",
    "resists": "async def that cleans up for long",
    "sleeps": "def on a thread",
    "spins": "def in a process",
    "blocks": "async def that blocks the loop",
    "holds": "def in C code, interpreter held",
}


class Log:
    """Where a body notes that it is still at work: a file, since some are in other processes, and killed."""

    def __init__(self, path: str) -> None:
        self.path = path

    def note(self) -> None:
        line = os.open(self.path, os.O_WRONLY)
        os.write(line, f"{time.time():.6f}".encode())  # over the one before: also a killed writer leaves one whole
        os.close(line)

    def last(self, since: float) -> float:
        return float(Path(self.path).read_text()) - since


async def awaits(log: Log) -> None:
    end = time.time() + WORK
    while time.time() < end:
        await asyncio.sleep(0.005)
        log.note()


async def resists(log: Log) -> None:
    try:
        await asyncio.sleep(WORK)
    except asyncio.CancelledError:
        await awaits(log)
        raise


def sleeps(log: Log) -> None:
    end = time.time() + WORK
    while time.time() < end:
        time.sleep(0.005)
        log.note()


spins = sleeps  # in a process it makes no difference what it does


async def blocks(log: Log) -> None:
    sleeps(log)


def holds(log: Log) -> None:
    """Sit in C code for a second without letting go of the interpreter: no other thread runs a line meanwhile."""
    ctypes.PyDLL(None).usleep(int(WORK * 1e6))
    log.note()


BODIES: dict[str, Callable[[Log], Any]] = {
    "awaits": awaits, "resists": resists, "sleeps": sleeps, "spins": spins, "blocks": blocks, "holds": holds,
}  # fmt: skip


async def timed(answer: Callable[[], Awaitable[Any]], log: Log) -> list[float]:
    """Return when the caller was answered, and when the body noted its last sign of life."""
    log.note()
    began = time.time()
    try:
        await answer()
    except TimeoutError:
        pass
    answered = time.time() - began
    await asyncio.sleep(max(0.0, 1.6 * WORK - answered))
    return [answered, max(0.0, log.last(began))]


async def by_asyncio(kind: str, log: Log) -> list[float]:
    async def answer() -> None:
        async with asyncio.timeout(DEADLINE):
            if kind in ("sleeps", "holds", "spins"):
                await asyncio.get_running_loop().run_in_executor(pool, BODIES[kind], log)
            else:
                await BODIES[kind](log)

    pool: Executor = ThreadPoolExecutor()
    if kind == "spins":
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        await asyncio.get_running_loop().run_in_executor(pool, abs, 1)  # warm
    told = await timed(answer, log)
    pool.shutdown(wait=kind == "spins")
    return told


async def by_linecook(kind: str, log: Log) -> list[float]:
    from linecook import Runtime, tool

    lane: Any = {"spins": "process", "sleeps": "thread", "holds": "thread"}.get(kind)
    body = tool(timeout=DEADLINE, grace=GRACE, lane=lane)(BODIES[kind])
    async with Runtime(processes=1, stall=None):
        if kind == "spins":
            await tool(lane="process")(abs)(1)  # warm
        return await timed(lambda: body(log), log)


def side(by: Callable[[str, Log], Any], kind: str) -> Callable[[bool], list[float]]:
    def measure(quick: bool) -> list[float]:
        with tempfile.NamedTemporaryFile() as file:
            return asyncio.run(by(kind, Log(file.name)))

    return measure


SIDES = {f"{by.__name__} {kind}": side(by, kind) for kind in KINDS for by in (by_asyncio, by_linecook)}


def draw(figures: dict[str, Any]) -> list[list[str]]:
    made, (panel,) = figure(height=4.4)
    rows = [["body", "asyncio answers after", "its work ends after", "linecook answers after", "its work ends after"]]
    for place, (kind, title) in enumerate(KINDS.items()):
        row = [title]
        for lower, (by, color) in enumerate((("by_asyncio", STDLIB), ("by_linecook", OURS))):
            answered, ended = figures[f"{by} {kind}"]
            ended = max(ended, answered) if kind in ("awaits", "blocks", "holds") else ended
            panel.barh(place + 0.19 - 0.38 * (1 - lower), ended, 0.3, color=color, alpha=0.35)
            panel.plot([answered], [place + 0.19 - 0.38 * (1 - lower)], "o", color=color, markersize=8)
            row += [f"{answered:.2f} s", f"{ended:.2f} s"]
        rows.append(row)
    panel.axvline(DEADLINE, color=FAINT, linestyle=":", linewidth=1.4)
    panel.set_yticks(range(len(KINDS)), list(KINDS.values()))
    panel.invert_yaxis()
    for label, color in (("asyncio.timeout", STDLIB), ("linecook", OURS)):
        panel.plot([], [], "o", color=color, markersize=8, label=label)
    panel.legend(loc="upper right", labelcolor=INK)
    panel.set(xlabel="seconds; dot: the caller is answered, bar: the body is still at work",
              title=f"A second of work under a deadline of {DEADLINE} s, grace {GRACE} s", xlim=(0, 1.6))  # fmt: skip
    save(__file__, made, "For each kind of body: when its caller is answered, and when its work ends.")
    return rows


if __name__ == "__main__":
    main(__file__, SIDES, draw)
