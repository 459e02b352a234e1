"""Memory, loop lag and rate of a fan-out of growing size: gather, gather behind a semaphore, a window."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from _plot import FOURTH, OURS, STDLIB, THIRD, figure, main, save

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
PLACES = 1000


async def visit(number: int) -> int:
    """Give way once, as an agent does that asks a model."""
    await asyncio.sleep(0)
    return number


async def gather(agents: int) -> int:
    return sum(await asyncio.gather(*(visit(n) for n in range(agents))))


async def semaphore(agents: int) -> int:
    places = asyncio.Semaphore(PLACES)

    async def admitted(number: int) -> int:
        async with places:
            return await visit(number)

    return sum(await asyncio.gather(*(admitted(n) for n in range(agents))))


async def window(agents: int) -> int:
    from linecook import settle

    return sum((await settle((visit(n) for n in range(agents)), limit=PLACES)).results)


async def stream(agents: int) -> int:
    from linecook import Ok, as_completed

    total = 0
    async with as_completed((visit(n) for n in range(agents)), limit=PLACES) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, Ok)
            total += outcome.value
    return total


def memory_mb() -> float:
    """The largest resident set so far; from VmHWM, since ru_maxrss of a child begins with its parent's."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


class Lag:
    """How late a callback that is due every 2 ms ran at most."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._tick()

    def _tick(self) -> None:
        self.look()
        self._due = self._loop.time() + 0.002
        self._loop.call_at(self._due, self._tick)

    def look(self) -> None:
        self.worst = max(self.worst, self._loop.time() - self._due)


def side(all_of_them: Callable[[int], Coroutine[Any, Any, int]], agents: int) -> Callable[[bool], dict[str, float]]:
    def measure(quick: bool) -> dict[str, float]:
        from linecook import Runtime, run

        count = min(agents, 2000) if quick else agents

        async def measured() -> dict[str, float]:
            lag, before, began = Lag(), memory_mb(), time.perf_counter()
            assert await all_of_them(count) == count * (count - 1) // 2
            took = time.perf_counter() - began
            lag.look()
            return {"rate": count / took, "mb": memory_mb() - before, "lag_ms": lag.worst * 1000}

        # Each as people run it: linecook's run raises the collector's first threshold, asyncio's doesn't. The stall
        # watch is off, since it would print what is measured here.
        if all_of_them in (gather, semaphore):
            return asyncio.run(measured())
        return run(measured(), runtime=Runtime(stall=None))

    return measure


WAYS = {
    "settle, window of 1,000": (window, OURS),
    "as_completed, window of 1,000": (stream, THIRD),
    "asyncio.gather": (gather, FOURTH),
    "gather + Semaphore(1000)": (semaphore, STDLIB),
}
SIDES = {f"{name}/{agents}": side(way, agents) for name, (way, _) in WAYS.items() for agents in SIZES}


def draw(figures: dict[str, Any]) -> list[list[str]]:
    made, (memory, lag) = figure(columns=2)
    rows = [["at 100,000 agents", "more memory at the peak", "the loop stands still for", "agents a second"]]
    for name, (_, color) in WAYS.items():
        told = [figures[f"{name}/{agents}"] for agents in SIZES]
        memory.plot(SIZES, [each["mb"] for each in told], "o-", color=color, label=name, markersize=4)
        lag.plot(SIZES, [each["lag_ms"] for each in told], "o-", color=color, markersize=4)
        most = told[-1]
        rows.append([name, f"{most['mb']:.0f} MB", f"{most['lag_ms']:.0f} ms", f"{most['rate'] / 1000:.0f} thousand"])
    for panel, title in ((memory, "MB more at the peak"), (lag, "ms for which the loop stands still, at most")):
        panel.set(title=title, xlabel="agents in the fan-out", xscale="log", ylim=(0, None))
        panel.set_xticks([1000, 10_000, 100_000], ["1,000", "10,000", "100,000"])
        panel.minorticks_off()
    made.legend(loc="outside lower center", ncols=2)
    save(__file__, made, "Peak memory and longest standstill of the loop against the size of a fan-out, four ways.")
    return rows


if __name__ == "__main__":
    main(__file__, SIDES, draw, rounds=3)
