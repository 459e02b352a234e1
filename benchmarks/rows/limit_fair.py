"""One tenant hands in ten thousand calls, then a hundred tenants ten each: when the small ones are served.

In virtual time; 20 calls in flight, 0.05 to 0.15 s each (seeded). The equal share: all 101 tenants get the same until
the small ones are done.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

AT_ONCE, CALL_S, SMALL, FEW = 20, 0.1, 100, 10

row = Row(
    title="one tenant with 10,000 calls and 100 tenants with 10 each on one limit, virtual time",
    base="semaphore",
    full={"calls": 10_000},
    quick={"calls": 2_000},
    targets=(Target("small_end", 1.5, 1.2, at_most=True, says="the last small tenant ends, × its equal share"),),
    columns=("small_end", "big_end_s", "cpu_us"),
    unit="calls",
    units=lambda size: size["calls"] + SMALL * FEW,
    time_limit=120.0,
)

Ask = Callable[[float], Awaitable[None]]


@row.verify
def check(answers: tuple[int, float], calls: int) -> str | None:
    """Every call was served, and no sooner than so many at once can be."""
    served, seconds = answers
    wanted = calls + SMALL * FEW
    if served != wanted:
        return f"{served} calls were served where there are {wanted}"
    least = 0.9 * wanted * CALL_S / AT_ONCE
    return None if seconds >= least else f"done after {seconds:.1f} s, where {least:.1f} s is the least"


def measure(meter: Meter, calls: int, make: Callable[[Callable[[], None]], Ask], as_tenant: Any) -> None:
    """Hand the calls in, the big tenant's first, and note when each tenant is done."""
    from linecook.testing import VirtualClock

    served = 0

    def count() -> None:
        nonlocal served
        served += 1

    async def one_tenant(ask: Ask, name: str, calls: int, chance: random.Random) -> float:
        with as_tenant(name):
            await asyncio.gather(*(ask(chance.uniform(0.5, 1.5) * CALL_S) for _ in range(calls)))
        return asyncio.get_running_loop().time()

    async def main() -> list[float]:
        ask = make(count)
        big = asyncio.create_task(one_tenant(ask, "big", calls, random.Random(0)))
        await asyncio.sleep(0.01)
        small = [one_tenant(ask, f"small {n}", FEW, random.Random(n + 1)) for n in range(SMALL)]
        return [*await asyncio.gather(*small), await big]

    with meter.timing():
        *small, big = VirtualClock().run(main())
    meter.note(small_end=max(small) / ((SMALL + 1) * FEW * CALL_S / AT_ONCE), big_end_s=big)
    meter.answer((served, big))


@row.linecook
def linecook(meter: Meter, calls: int) -> None:
    from linecook import Limit, tenant, tool

    def make(count: Callable[[], None]) -> Ask:
        @tool(limit=Limit(AT_ONCE, waiting=2 * calls))
        async def ask(seconds: float) -> None:
            await asyncio.sleep(seconds)
            count()

        called: Any = ask
        one: Ask = called
        return one

    measure(meter, calls, make, tenant)


@row.stdlib
def semaphore(meter: Meter, calls: int) -> None:
    from contextlib import nullcontext

    def make(count: Callable[[], None]) -> Ask:
        places = asyncio.Semaphore(AT_ONCE)

        async def ask(seconds: float) -> None:
            async with places:
                await asyncio.sleep(seconds)
            count()

        return ask

    measure(meter, calls, make, nullcontext)
