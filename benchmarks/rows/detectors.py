"""What the detectors cost that are on by default, the stuck watch and the stall watch, over a crew of agents."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="the detectors (stuck watch, stall watch) on against off, in per cent more CPU",
    base="linecook",
    full={"agents": 10_000, "calls": 10, "pairs": 9},
    quick={"agents": 200, "calls": 10, "pairs": 1},
    targets=(
        Target("cpu_more", 3, 1, of="linecook", at_most=True, says="10 tools on the loop each, % more CPU"),
        Target(
            "cpu_more", 3, 1, of="linecook_waiting", at_most=True, says="10 tools that wait 0.2 s and more, % more CPU"
        ),
    ),
    columns=("cpu_more", "wall_more", "wall_s"),
    time_limit=240.0,
    losing="A look at 10,000 tasks takes some milliseconds of the interpreter, at most a 500th of the time.",
)

Agent = Callable[[int], Coroutine[Any, Any, int]]


@row.verify
def check(answers: list[int], agents: int, calls: int, pairs: int) -> str | None:
    """Every agent of every block summed the numbers of its calls."""
    wanted = [sum(n + call for n in range(agents) for call in range(calls))] * (2 * pairs)
    return None if answers == wanted else f"sums {answers[:3]}… where {wanted[0]} is right"


def compare(meter: Meter, agents: int, pairs: int, reader: Agent) -> None:
    """Run *agents* calls of *reader* in turns with the detectors on and off; medians of the pairs' differences.

    CPU seconds are those of the whole process, the watch thread included. In one process, pair by pair: two processes
    differ by more than what is measured. What ``Shared`` notes of each read and write has a row of its own.
    """
    from linecook import Runtime, run, settle

    answers = list[int]()
    cpu_more, wall_more, wall_s = list[float](), list[float](), list[float]()

    async def crew() -> int:
        return sum((await settle((reader(n) for n in range(agents)), limit=None)).results)

    def timed(on: bool) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        answers.append(run(crew(), runtime=Runtime(stall=0.1 if on else None)))
        return time.perf_counter() - wall, time.process_time() - cpu

    run(crew())
    for pair in range(pairs):
        first, second = timed(bool(pair % 2)), timed(not pair % 2)
        (wall, cpu), (plain_wall, plain_cpu) = (first, second) if pair % 2 else (second, first)
        cpu_more.append((cpu / plain_cpu - 1) * 100)
        wall_more.append((wall / plain_wall - 1) * 100)
        wall_s.append(plain_wall)
    meter.note(
        cpu_more=statistics.median(cpu_more), wall_more=statistics.median(wall_more), wall_s=statistics.median(wall_s)
    )
    meter.answer(answers)


async def plus_soon(number: int, call: int) -> int:
    """The body of a tool that does next to nothing."""
    await asyncio.sleep(0)
    return number + call


async def plus_later(number: int, call: int) -> int:
    """The body of a tool that waits, as one that asks a model does."""
    await asyncio.sleep(0.2 + call * 0.02)
    return number + call


def reading(body: Callable[[int, int], Coroutine[Any, Any, int]], calls: int) -> Agent:
    """Return an agent that calls a tool of *body* again and again."""
    from linecook import agent, tool

    added = tool(body)

    @agent
    async def reader(number: int) -> int:
        return sum([await added(number, call) for call in range(calls)])

    return reader


@row.linecook
def linecook(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    compare(meter, agents, pairs, reading(plus_soon, calls))


@row.linecook
def linecook_waiting(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    compare(meter, agents, pairs, reading(plus_later, calls))
