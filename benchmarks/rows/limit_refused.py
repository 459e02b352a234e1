"""A chat backend that is full: how soon each further request learns that, at a thousand a second.

In real time: 64 calls are in flight and a thousand wait, all the while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.meter import Meter, percentile
from benchmarks.harness.row import Row, Target

IN_FLIGHT, WAITING = 64, 1_000
GAP_S = 0.001

row = Row(
    title="refused when full: 64 in flight, 1,000 waiting, 1,000 more requests a second",
    base="by_hand",
    full={"requests": 5_000},
    quick={"requests": 200},
    targets=(Target("p99_ms", 1.0, 0.2, at_most=True, says="refused, p99, ms"),),
    columns=("p50_ms", "p99_ms", "max_ms"),
)


class Full(Exception):
    """There is no room."""


Ask = Callable[[], Awaitable[None]]


@row.verify
def check(answers: tuple[int, int], requests: int) -> str | None:
    """Nearly every request was refused, and the backend went on serving."""
    refused, served = answers
    if not 0.9 * requests <= refused <= requests:  # one may slip in where a customer leaves
        return f"{refused} of {requests} were refused"
    return None if served else "nobody was served meanwhile"


async def measure(meter: Meter, requests: int, ask: Ask, full: type[Exception], served: Callable[[], int]) -> None:
    """Keep the backend full and send more, one each millisecond."""
    loop = asyncio.get_running_loop()
    took: list[float] = []

    async def customer() -> None:
        while True:
            try:
                await ask()
            except full:  # a request took the place in line
                await asyncio.sleep(0.001)

    async def request(began: float) -> None:
        try:
            await ask()
        except full:
            took.append((time.perf_counter() - began) * 1000)

    customers = [asyncio.create_task(customer()) for _ in range(IN_FLIGHT + WAITING)]
    await asyncio.sleep(0.2)
    tasks, due = list[asyncio.Task[None]](), loop.time()
    for _ in range(requests):
        due += GAP_S
        await asyncio.sleep(max(0.0, due - loop.time()))
        tasks.append(asyncio.create_task(request(time.perf_counter())))  # it has arrived: from now on it waits
    await asyncio.wait(tasks)
    for task in customers:
        task.cancel()
    await asyncio.wait(customers)
    meter.note(p50_ms=percentile(took, 0.5), p99_ms=percentile(took, 0.99), max_ms=max(took))
    meter.answer((len(took), served()))


@row.linecook
def linecook(meter: Meter, requests: int) -> None:
    from linecook import Limit, run, tool
    from linecook.errors import Refused

    served = 0

    @tool(limit=Limit(IN_FLIGHT, name="chat", waiting=WAITING))
    async def ask() -> None:
        nonlocal served
        await asyncio.sleep(0.1)
        served += 1

    called: Any = ask
    run(measure(meter, requests, called, Refused, lambda: served))


@row.stdlib
def by_hand(meter: Meter, requests: int) -> None:
    served = waiting = 0
    places = asyncio.Semaphore(IN_FLIGHT)

    async def ask() -> None:
        nonlocal served, waiting
        if places.locked() and waiting >= WAITING:
            raise Full
        waiting += 1
        try:
            await places.acquire()
        finally:
            waiting -= 1
        try:
            await asyncio.sleep(0.1)
            served += 1
        finally:
            places.release()

    asyncio.run(measure(meter, requests, ask, Full, lambda: served))
