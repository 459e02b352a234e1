"""How many schedules a second the search runs: three small tasks, and two thread tools with ten switches each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

CALLS = 5  # of a function, in a thread tool: a thread may be switched at each call and at each return

row = Row(
    title="schedules a second: three small tasks; two thread tools with ten switches each",
    base="asyncio_run",
    full={"schedules": 4_000},
    quick={"schedules": 200},
    targets=(
        Target("rate", 8_000, 20_000, of="linecook_tasks", says="three small tasks, schedules/s"),
        Target("rate", 500, 1_500, of="linecook_threads", says="two thread tools with ten switches, schedules/s"),
    ),
    unit="schedules",
    units=lambda size: size["schedules"],
    time_limit=180.0,
)

Order = tuple[int, ...]
Outside = Callable[[int], Awaitable[int]]


@row.verify
def check(answers: tuple[int, int], schedules: int) -> str | None:
    """All schedules were run; the orders seen are of course fewer, but a search has seen many."""
    ran, orders = answers
    if ran != schedules:
        return f"{ran} schedules were run, where {schedules} were asked for"
    return None if orders >= 1 else "nobody looked at the orders"


def tasks(outside: Outside, orders: set[Order]) -> Callable[[], Awaitable[None]]:
    """Return a program of three tasks, each of which asks twice; it notes in which order the answers came."""

    async def main() -> None:
        seen = list[int]()

        async def ask(number: int) -> None:
            for _ in range(2):
                seen.append(await outside(number))

        await asyncio.gather(ask(1), ask(2), ask(3))
        orders.add(tuple(seen))

    return main


@row.linecook
def linecook_tasks(meter: Meter, schedules: int) -> None:
    from linecook.testing import explore, outside

    _explored(meter, schedules, lambda orders: tasks(outside, orders), explore)


@row.linecook
def linecook_threads(meter: Meter, schedules: int) -> None:
    from linecook.testing import explore

    def program(orders: set[Order]) -> Callable[[], Awaitable[None]]:
        async def main() -> None:
            seen = list[int]()
            await asyncio.gather(asyncio.to_thread(tool, 1, seen), asyncio.to_thread(tool, 2, seen))
            orders.add(tuple(seen))

        return main

    _explored(meter, schedules, program, explore, overtakings=8)  # with two there are fewer orders than schedules


def tool(number: int, seen: list[int]) -> None:
    """Call a function a few times."""
    for _ in range(CALLS):
        note(number, seen)


def note(number: int, seen: list[int]) -> None:
    """Say that this thread is at work."""
    seen.append(number)


def _explored(
    meter: Meter, schedules: int, program: Callable[[set[Order]], Any], explore: Any, overtakings: int = 2
) -> None:
    explore(program(set()), schedules=20)  # what is imported and made once is no schedule's
    orders = set[Order]()
    with meter.timing():
        found = explore(program(orders), schedules=schedules, overtakings=overtakings)
    assert found.failure is None, found.failure
    assert len(orders) > min(schedules // 10, 50), f"{schedules} schedules showed only {len(orders)} orders"
    meter.answer((found.schedules, len(orders)))


@row.stdlib
def asyncio_run(meter: Meter, schedules: int) -> None:
    """A fresh loop for each run and no choice at all."""

    async def hop(value: int) -> int:
        await asyncio.sleep(0)
        return value

    orders = set[Order]()
    main: Any = tasks(hop, orders)
    with meter.timing():
        for _ in range(schedules):
            asyncio.run(main())
    meter.answer((schedules, len(orders)))


@row.peer("simloom")
def simloom(meter: Meter, schedules: int) -> None:
    import simloom

    async def drawn(value: int) -> int:
        await asyncio.sleep(simloom.draw("latency", 4))
        return value

    orders = set[Order]()
    main: Any = tasks(drawn, orders)
    with meter.timing():
        found = simloom.explore(main, runs=schedules)
    meter.answer((found.runs, len(orders)))


@row.peer("frontrun")
def frontrun(meter: Meter, schedules: int) -> None:
    import frontrun

    orders = set[Order]()

    def worker(number: int) -> Callable[[list[int]], Awaitable[None]]:
        async def run(seen: list[int]) -> None:
            for _ in range(2):
                await asyncio.sleep(0)
                seen.append(number)

        return run

    def look(seen: list[int]) -> bool:
        orders.add(tuple(seen))
        return True

    async def main() -> int:
        workers, ran, seed = [worker(number) for number in (1, 2, 3)], 0, 0
        while ran < schedules:  # it ends by itself when a seed brings nothing new
            seed += 1
            options: Any = {"strategy": "random", "max_attempts": schedules - ran, "seed": seed}
            found = await frontrun.explore(setup=list, workers=workers, invariant=look, **options)
            ran += found.num_explored
        return ran

    with meter.timing():
        ran = asyncio.run(main())
    meter.answer((ran, len(orders)))
