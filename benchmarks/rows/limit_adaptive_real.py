"""The same over real HTTP: a server in another process whose capacity halves and doubles, 60 s of real time.

The capacities are a fifth of those in ``limit_adaptive`` and calls a tenth as long: what two cores carry beside the
clients. A phase of 12 s is 120 calls long, twice what it is there: inspect_ai's cool-down of 15 s is counted in
seconds, and shorter phases would be over before it is.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.rows._inspect_ai import Controller

CAPACITIES = (20, 10, 20, 40, 20)
CALL_S = (0.1, 0.2)  # median and 99th percentile
MEAN_CALL_S = 0.1 * math.exp((math.log(2) / 2.326) ** 2 / 2)  # of the log-normal distribution that has these
BEST = "best_fixed_per_phase"

row = Row(
    title="100 agents over real HTTP against a server whose unknown capacity halves and doubles, 60 s",
    base=BEST,
    full={"agents": 100, "phase_s": 12.0},
    quick={"agents": 100, "phase_s": 0.5},
    targets=(
        Target("served", 0.90, 0.95, over=BEST, says="served × best fixed limit of each phase"),
        Target("refused_pct", 2.0, 1.0, at_most=True, says="429s, % of requests"),
    ),
    columns=("served", "refused_pct"),
    losing=(
        "Each try beyond the edge costs a 429, and at 20 places at once a try comes every hundred requests or so. And "
        "the server frees a place a moment after its answer left, so a limit that is told the capacity meets some too."
    ),
    time_limit=120.0,
)

Ask = Callable[[], Awaitable[None]]


class Busy(Exception):
    """The server said 429."""

    status = 429


@row.verify
def check(answers: tuple[int, int], agents: int, phase_s: float) -> str | None:
    """What the agents counted is what the server did, worth counting, and no more than its places could do."""
    counted, served = answers
    if abs(counted - served) > agents:  # those under way when time was up
        return f"the agents counted {counted}, the server {served}"
    most = sum(CAPACITIES) * phase_s / MEAN_CALL_S
    return None if 10 * phase_s < served <= 1.1 * most else f"{served} were served where {most:.0f} is the most"


def measure(meter: Meter, agents: int, phase_s: float, make: Callable[[Any, Callable[[], int]], Ask]) -> None:
    """Have the agents ask until time is up; *make* gets what sends a request, and the capacity of the moment."""
    import aiohttp

    from linecook.testing.server import Phase, server

    phases = [Phase(parallel=one, latency=CALL_S, seconds=phase_s) for one in CAPACITIES]

    async def main() -> tuple[int, Any]:
        async with server(*phases, seed=7, repeat=True) as models, aiohttp.ClientSession() as session:
            began, served = time.monotonic(), 0

            async def send() -> None:
                async with session.post(models.url, json={"max_tokens": 1}) as answer:
                    await answer.read()
                    if answer.status == 429:
                        raise Busy
                    answer.raise_for_status()

            async def agent(chance: random.Random) -> None:
                nonlocal served
                while True:
                    try:
                        await ask()
                        served += 1
                    except Busy:
                        await asyncio.sleep(chance.uniform(0.05, 0.15))

            def capacity() -> int:
                return CAPACITIES[int((time.monotonic() - began) / phase_s) % len(CAPACITIES)]

            ask = make(send, capacity)
            tasks = [asyncio.create_task(agent(random.Random(number))) for number in range(agents)]
            await asyncio.sleep(phase_s * len(CAPACITIES))
            seen = models.statistics()
            counted = served
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return counted, seen

    counted, seen = asyncio.run(main())
    served, refused = seen.statuses.get(200, 0), seen.statuses.get(429, 0)
    meter.note(served=served, refused_pct=100 * refused / (served + refused))
    meter.answer((counted, served))


@row.linecook
def linecook(meter: Meter, agents: int, phase_s: float) -> None:
    from linecook import Limit, tool

    def make(send: Ask, _: Callable[[], int]) -> Ask:
        asked: Any = tool(limit=Limit("4-16-128", name="model"))(send)
        ask: Ask = asked
        return ask

    measure(meter, agents, phase_s, make)


@row.limit
def best_fixed_per_phase(meter: Meter, agents: int, phase_s: float) -> None:
    """A limit that is told the capacity when it changes."""
    from linecook import Limit, tool

    def make(send: Ask, capacity: Callable[[], int]) -> Ask:
        limit = Limit(CAPACITIES[0])

        @tool(limit=limit)
        async def ask() -> None:
            if limit.in_flight != capacity():
                limit.retune(in_flight=capacity())
            await send()

        asked: Any = ask
        one: Ask = asked
        return one

    measure(meter, agents, phase_s, make)


@row.stdlib
def semaphore_16(meter: Meter, agents: int, phase_s: float) -> None:
    def make(send: Ask, _: Callable[[], int]) -> Ask:
        places = asyncio.Semaphore(16)

        async def ask() -> None:
            async with places:
                await send()

        return ask

    measure(meter, agents, phase_s, make)


@row.peer("aiohttp")
def inspect_ai_algorithm(meter: Meter, agents: int, phase_s: float) -> None:
    def make(send: Ask, _: Callable[[], int]) -> Ask:
        controller = Controller(4, 16, 128, time.monotonic)

        async def ask() -> None:
            async with controller:
                try:
                    await send()
                except Busy:
                    controller.refused()
                    raise
            controller.succeeded()

        return ask

    measure(meter, agents, phase_s, make)
