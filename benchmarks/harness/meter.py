"""Measures one implementation, inside its process: wall, CPU, loop lag, memory, and whether the answers are right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

TICK = 0.002  # seconds between two looks at the loop


class WrongAnswer(Exception):
    """The workload's own check refused the answers: a fast wrong answer is no figure."""


async def warm_up(crew: Callable[[], Awaitable[object]]) -> None:
    """Run *crew* twice, half a second apart: a process that its first calls asked for is up before its second ones."""
    await crew()
    await asyncio.sleep(0.5)
    await crew()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which *share* (0..1) of *values* lie; the largest when they are few; 0.0 for none."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def peak_memory_mb() -> float:
    """Return the largest resident set of this process so far.

    From ``VmHWM``: ``ru_maxrss`` survives ``exec``, so a child of a large parent reports the parent.
    """
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


class Meter:
    """Given to an implementation, which times with ``timing()`` or ``watching()`` and ends with ``answer()``.

    Args:
      report: gets the figures as a dict, at the moment of the answer: what a hung implementation does
        to the end of the program (its loop joins threads that never return) comes after it.
    """

    def __init__(self, report: Callable[[dict[str, float]], None]) -> None:
        self._report = report
        self.figures: dict[str, float] = {}
        self._units = 0
        self._check: Callable[[Any], str | None] = lambda _: None

    def begin(self, *, units: int, check: Callable[[Any], str | None]) -> None:
        """Say how many units of work are done (0: there is no rate) and how the answers are checked."""
        self._units, self._check = units, check

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Take wall and CPU seconds of the main process over the block, and its peak memory at the end."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.note(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu)
        self.note(rss_mb=peak_memory_mb())  # here: what the check builds isn't theirs

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Take the same inside a running asyncio loop, and how late a callback due every 2 ms ran."""
        loop, lags = asyncio.get_running_loop(), list[float]()
        due = loop.time() + TICK

        def tick() -> None:
            nonlocal due, handle
            now = loop.time()
            lags.append((now - due) * 1000)
            due = now + TICK
            handle = loop.call_at(due, tick)

        handle = loop.call_at(due, tick)
        try:
            with self.timing():
                yield
        finally:
            handle.cancel()
        lags.append(max(0.0, (loop.time() - due) * 1000))  # a stall that lasted to the end ran no tick
        self.note(lag_p99_ms=percentile(lags, 0.99), lag_max_ms=max(lags))

    def note(self, **figures: float) -> None:
        """Add figures of the row's own."""
        self.figures.update(figures)

    def answer(self, answers: Any) -> None:
        """Check the answers and hand the figures over; the last thing an implementation does.

        Raises:
          WrongAnswer: the row's check found them wrong.
        """
        if problem := self._check(answers):
            raise WrongAnswer(problem)
        wall = self.figures.get("wall_s")
        if wall and self._units:
            self.note(rate=self._units / wall, cpu_us=self.figures["cpu_s"] / self._units * 1e6)
        self._report(dict(self.figures))
