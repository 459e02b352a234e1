"""What the stuck watch costs, which is on by default, over a crew of agents; the stall watch is on on both sides.

And what ``install(trace_tasks=True)`` costs, which is off by default, where it costs most: a crew of tasks that do next
to nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="the detectors (stuck watch) on against off, in per cent more CPU",
    base="linecook",
    full={"agents": 10_000, "calls": 10, "pairs": 9},
    quick={"agents": 200, "calls": 10, "pairs": 1},
    targets=(
        Target("cpu_more", 3, 1, of="linecook", at_most=True, says="10 tools on the loop each, % more CPU"),
        Target(
            "cpu_more", 3, 1, of="linecook_waiting", at_most=True, says="10 tools that wait 0.2 s and more, % more CPU"
        ),
    ),
    columns=("cpu_more", "wall_more", "wall_s", "us_task"),
    time_limit=240.0,
    losing="A look at 10,000 tasks takes some milliseconds of the interpreter, at most a 500th of the time.",
)

Agent = Callable[[int], Coroutine[Any, Any, int]]


@row.verify
def check(answers: list[int], agents: int, calls: int, pairs: int) -> str | None:
    """Every agent of every block summed the numbers of its calls."""
    wanted = [sum(n + call for n in range(agents) for call in range(calls))] * (2 * pairs)
    return None if answers == wanted else f"sums {answers[:3]}… where {wanted[0]} is right"


def compare(meter: Meter, pairs: int, crew: Callable[[bool], int], tasks: int = 0) -> None:
    """Run *crew* in turns with the detectors on and off; medians of the pairs' differences, also for each of *tasks*.

    CPU seconds are those of the whole process, the watch thread included. In one process, pair by pair: two processes
    differ by more than what is measured. What ``Shared`` notes of each read and write has a row of its own.
    """
    answers = list[int]()
    cpu_more, wall_more, wall_s, cpu_s_more = list[float](), list[float](), list[float](), list[float]()

    def timed(on: bool) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        answers.append(crew(on))
        return time.perf_counter() - wall, time.process_time() - cpu

    crew(True)
    for pair in range(pairs):
        first, second = timed(bool(pair % 2)), timed(not pair % 2)
        (wall, cpu), (plain_wall, plain_cpu) = (first, second) if pair % 2 else (second, first)
        cpu_more.append((cpu / plain_cpu - 1) * 100)
        wall_more.append((wall / plain_wall - 1) * 100)
        wall_s.append(plain_wall)
        cpu_s_more.append(cpu - plain_cpu)
    if tasks:
        meter.note(us_task=statistics.median(cpu_s_more) / tasks * 1e6)
    meter.note(
        cpu_more=statistics.median(cpu_more), wall_more=statistics.median(wall_more), wall_s=statistics.median(wall_s)
    )
    meter.answer(answers)


def settled(agents: int, reader: Agent) -> Callable[[bool], int]:
    """Return what runs *agents* calls of *reader*, with the stuck watch on or off."""
    from linecook import Runtime, run, settle

    async def crew() -> int:
        return sum((await settle((reader(n) for n in range(agents)), limit=None)).results)

    def timed(on: bool) -> int:
        with contextlib.nullcontext() if on else not_looking():
            return run(crew(), runtime=Runtime(stall=0.1))

    return timed


@contextlib.contextmanager
def not_looking() -> Iterator[None]:
    """Let the stuck watch do nothing when it is woken."""
    from linecook.observe.stuck.watch import StuckWatch

    look, StuckWatch.look = StuckWatch.look, lambda _: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        StuckWatch.look = look  # type: ignore[method-assign]


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
    compare(meter, pairs, settled(agents, reading(plus_soon, calls)))


@row.linecook
def linecook_waiting(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    compare(meter, pairs, settled(agents, reading(plus_later, calls)))


@row.linecook
def trace_tasks(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    """Note which line makes each task: ``us_task`` is what a task costs more."""
    from linecook import install

    async def reader(number: int) -> int:
        return sum(await asyncio.gather(*(plus_soon(number, call) for call in range(calls))))

    async def crew() -> int:
        return sum(await asyncio.gather(*(reader(n) for n in range(agents))))

    def timed(on: bool) -> int:
        with install(trace_tasks=on):
            return asyncio.run(crew())

    compare(meter, pairs, timed, tasks=agents * (calls + 1))


@row.stdlib
def asyncio_debug(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    """asyncio's own detector, its debug mode, on and off: it names slow steps and lost failures, and no deadlock."""

    async def reader(number: int) -> int:
        return sum([await plus_soon(number, call) for call in range(calls)])

    async def crew() -> int:
        return sum(await asyncio.gather(*(reader(n) for n in range(agents))))

    compare(meter, pairs, lambda on: asyncio.run(crew(), debug=on))
