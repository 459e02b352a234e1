"""Agents against a server that takes so many requests at once, tells nobody how many, and halves and doubles that.

In virtual time: five minutes pass in seconds, and every side meets the same trace. A request beyond the capacity is
refused after 20 ms with a 429 and no ``Retry-After``; its agent comes back after about a second.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.rows._inspect_ai import Controller

CAPACITIES = (100, 50, 100, 200, 100)
REFUSING_S = 0.02
BEST = "best_fixed_per_phase"

row = Row(
    title="600 agents against a server whose unknown capacity halves and doubles, 5 minutes of virtual time",
    base=BEST,
    full={"agents": 600, "phase_s": 60.0},
    quick={"agents": 600, "phase_s": 20.0},
    targets=(
        Target("served", 0.90, 0.95, over=BEST, says="served × best fixed limit of each phase"),
        Target("refused_pct", 2.0, 1.0, at_most=True, says="429s, % of requests"),
    ),
    columns=("served", "refused_pct"),
    time_limit=120.0,
)

Ask = Callable[["Server"], Awaitable[None]]


class Busy(Exception):
    """What the server says: 429."""

    status = 429


class Server:
    """Takes ``capacity`` requests at once, each for 0.5 to 1.5 s (seeded), and refuses the others."""

    def __init__(self, phase_s: float) -> None:
        self._phase_s = phase_s
        self._chance = random.Random(7)
        self._busy = 0
        self.served = self.refused = 0

    def capacity(self) -> int:
        phase = int(asyncio.get_running_loop().time() / self._phase_s)
        return CAPACITIES[min(phase, len(CAPACITIES) - 1)]

    async def serve(self) -> None:
        if self._busy >= self.capacity():
            self.refused += 1
            await asyncio.sleep(REFUSING_S)
            raise Busy
        self._busy += 1
        try:
            await asyncio.sleep(self._chance.uniform(0.5, 1.5))
            self.served += 1
        finally:
            self._busy -= 1


@row.verify
def check(answers: tuple[int, int], agents: int, phase_s: float) -> str | None:
    """More was served than one request at a time gives, and no more than there was capacity for."""
    served, most = answers[0], sum(CAPACITIES) * phase_s
    return None if 5 * phase_s < served <= 1.1 * most else f"{served} served where {most:g} is the most"


def measure(meter: Meter, agents: int, phase_s: float, ask: Ask) -> None:
    """Have the agents ask until time is up, and note what was served."""
    from linecook.testing import VirtualClock

    server = Server(phase_s)

    async def agent(chance: random.Random) -> None:
        while True:
            try:
                await ask(server)
            except Busy:
                await asyncio.sleep(chance.uniform(0.5, 1.5))

    async def main() -> None:
        tasks = [asyncio.create_task(agent(random.Random(number))) for number in range(agents)]
        await asyncio.sleep(phase_s * len(CAPACITIES))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    VirtualClock().run(main())
    requests = server.served + server.refused
    meter.note(served=server.served, refused_pct=100 * server.refused / requests)
    meter.answer((server.served, server.refused))


@row.linecook
def linecook(meter: Meter, agents: int, phase_s: float) -> None:
    from linecook import Limit, tool

    @tool(limit=Limit("8-64-512", name="model"))
    async def ask(server: Server) -> None:
        await server.serve()

    measure(meter, agents, phase_s, ask)


@row.limit
def best_fixed_per_phase(meter: Meter, agents: int, phase_s: float) -> None:
    """A limit that is told the capacity the moment it changes."""
    from linecook import Limit, tool

    limit = Limit(CAPACITIES[0])

    @tool(limit=limit)
    async def ask(server: Server) -> None:
        if limit.in_flight != server.capacity():
            limit.retune(in_flight=server.capacity())
        await server.serve()

    measure(meter, agents, phase_s, ask)


@row.stdlib
def semaphore_64(meter: Meter, agents: int, phase_s: float) -> None:
    _fixed(meter, agents, phase_s, 64)


@row.stdlib
def semaphore_512(meter: Meter, agents: int, phase_s: float) -> None:
    _fixed(meter, agents, phase_s, 512)


def _fixed(meter: Meter, agents: int, phase_s: float, bound: int) -> None:
    places: Any = asyncio.Semaphore(bound)

    async def ask(server: Server) -> None:
        async with places:
            await server.serve()

    measure(meter, agents, phase_s, ask)


@row.peer()
def inspect_ai_algorithm(meter: Meter, agents: int, phase_s: float) -> None:
    controller: Controller | None = None

    async def ask(server: Server) -> None:
        nonlocal controller
        if controller is None:
            controller = Controller(8, 64, 512, asyncio.get_running_loop().time)
        async with controller:
            try:
                await server.serve()
            except Busy:
                controller.refused()
                raise
        controller.succeeded()

    measure(meter, agents, phase_s, ask)
