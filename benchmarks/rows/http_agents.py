"""Five hundred agents at once over real HTTP: what the runtime adds to the client the user has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.harness.server import model_server

row = Row(
    title="500 agents over real HTTP: 2 model turns of 50 ms, 2 sync tools of 5 ms, the same aiohttp client",
    base="by_hand_pool64",
    unit="agents",
    full={"agents": 500, "waves": 4},
    quick={"agents": 20, "waves": 1},
    units=lambda size: size["agents"] * size["waves"],
    targets=(
        Target("cpu_us", 1.25, 1.10, over="by_hand_pool64", at_most=True, says="CPU per agent × by_hand_pool64"),
        Target("rate", 0.9, 1.0, over="by_hand_pool64"),
    ),
    columns=("wall_s", "cpu_us", "lag_p99_ms", "lag_max_ms", "rss_mb"),
)


def look_up(number: int) -> int:
    """Block for 5 ms, as a query to a database does."""
    time.sleep(0.005)
    return number + 1


async def ask_model(session: Any, url: str, agent: int, turn: int) -> int:
    """One turn of the model: a POST, 50 ms of thinking, the number it wants looked up."""
    async with session.post(url, json={"agent": agent, "turn": turn}) as response:
        answer: int = (await response.json())["look_up"]
        return answer


@row.verify
def check(answers: list[list[int]], agents: int, waves: int) -> str | None:
    """Each agent has what its two turns asked for, in every wave."""
    wanted = [(n * 10 + 1 + 1) + (n * 10 + 2 + 1) for n in range(agents)]
    if len(answers) != waves or any(wave != wanted for wave in answers):
        return f"{len(answers)} waves of {waves}, or wrong sums: {answers[:1]!s:.80}"
    return None


async def measure(meter: Meter, waves: int, crew: Callable[[Any, str], Callable[[], Awaitable[list[int]]]]) -> None:
    """Send the crew over the server, once for warm connections and *waves* times for the figure."""
    import aiohttp

    with model_server() as url:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            wave = crew(session, url)
            await wave()
            async with meter.watching():
                answers = [await wave() for _ in range(waves)]
            meter.answer(answers)


@row.linecook
def linecook(meter: Meter, agents: int, waves: int) -> None:
    from linecook import agent, gather, run, tool

    model, looked_up = tool(ask_model), tool(look_up)

    def crew(session: Any, url: str) -> Callable[[], Awaitable[list[int]]]:
        @agent
        async def clerk(number: int) -> int:
            first = await looked_up(await model(session, url, number, 1))
            return first + await looked_up(await model(session, url, number, 2))

        async def wave() -> list[int]:
            return await gather(clerk(n) for n in range(agents))

        return wave

    run(measure(meter, waves, crew))


@row.stdlib
def by_hand_pool64(meter: Meter, agents: int, waves: int) -> None:
    def crew(session: Any, url: str) -> Callable[[], Awaitable[list[int]]]:
        loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(64)

        async def clerk(number: int) -> int:
            asked = await ask_model(session, url, number, 1)
            first = await loop.run_in_executor(pool, look_up, asked)
            asked = await ask_model(session, url, number, 2)
            return first + await loop.run_in_executor(pool, look_up, asked)

        async def wave() -> list[int]:
            return await asyncio.gather(*(clerk(n) for n in range(agents)))

        return wave

    asyncio.run(measure(meter, waves, crew))


@row.stdlib
def to_thread(meter: Meter, agents: int, waves: int) -> None:
    def crew(session: Any, url: str) -> Callable[[], Awaitable[list[int]]]:
        async def clerk(number: int) -> int:
            first = await asyncio.to_thread(look_up, await ask_model(session, url, number, 1))
            return first + await asyncio.to_thread(look_up, await ask_model(session, url, number, 2))

        async def wave() -> list[int]:
            return await asyncio.gather(*(clerk(n) for n in range(agents)))

        return wave

    asyncio.run(measure(meter, waves, crew))
