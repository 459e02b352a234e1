"""A limit that adapts meets a server that changes its mind: the places it finds, what is served, what is refused."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from _plot import FAINT, OURS, STDLIB, THIRD, figure, main, save

CAPACITIES = (20, 10, 20, 40, 20)  # requests the server takes at once, phase by phase
PHASE_S, QUICK_S = 8.0, 0.4
BINS = 8  # in a phase
CALL_S = (0.1, 0.2)  # median and 99th percentile
AGENTS = 100

Ask = Callable[[], Awaitable[None]]
Changes = list[tuple[float, int]]


class Busy(Exception):
    """The server said 429."""

    status = 429


async def send(host: str, port: str) -> None:
    """Send one request, by hand: no client is the subject here."""
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"GET /chat HTTP/1.1\r\nHost: kitchen\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
    finally:
        writer.close()
    if b" 429 " in answer[:20]:
        raise Busy
    assert b" 200 " in answer[:20], answer


async def watched(phase_s: float, make: Callable[[Ask], Ask], changes: Changes) -> Any:
    """Have the agents ask until all phases are over; *make* puts a bound around what sends a request."""
    from linecook.testing.server import Phase, server

    phases = [Phase(parallel=one, latency=CALL_S, seconds=phase_s, retry_after=None) for one in CAPACITIES]
    served, refused = list[float](), list[float]()
    async with server(*phases, seed=7, repeat=True) as models:
        address = models.url.removeprefix("http://").rstrip("/").split(":")

        async def ask_once() -> None:
            await send(*address)

        ask, began = make(ask_once), time.monotonic()

        async def agent(chance: random.Random) -> None:
            while True:
                try:
                    await ask()
                    served.append(time.monotonic() - began)
                except Busy:
                    refused.append(time.monotonic() - began)
                    await asyncio.sleep(chance.uniform(0.05, 0.15))

        tasks = [asyncio.create_task(agent(random.Random(number))) for number in range(AGENTS)]
        await asyncio.sleep(phase_s * len(CAPACITIES))
        ended = [task.result() for task in tasks if task.done()]  # raises what went wrong
        assert not ended
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return {
        "phase_s": phase_s,
        "bounds": [(when - began, bound) for when, bound in changes],
        "served": per_bin(served, phase_s / BINS),
        "refused": per_bin(refused, phase_s / BINS),
    }


def per_bin(moments: list[float], seconds: float) -> list[int]:
    found = Counter(int(moment / seconds) for moment in moments)
    return [found[number] for number in range(BINS * len(CAPACITIES))]


def adaptive(quick: bool) -> Any:
    from linecook import Limit, Runtime, run, tool

    async def measured() -> Any:
        changes: Changes = [(time.monotonic(), 16)]
        async with Runtime(stall=None) as runtime:
            runtime.subscribe(
                lambda event: changes.append((event.at, event.data["after"])) if event.kind == "limit.changed" else None
            )
            return await watched(QUICK_S if quick else PHASE_S, tool(limit=Limit("4-16-128")), changes)

    return run(measured())


def semaphore(places: int) -> Callable[[bool], Any]:
    def measured(quick: bool) -> Any:
        async def bounded() -> Any:
            turn = asyncio.Semaphore(places)

            def make(send: Ask) -> Ask:
                async def ask() -> None:
                    async with turn:
                        await send()

                return ask

            return await watched(QUICK_S if quick else PHASE_S, make, [])

        return asyncio.run(bounded())

    return measured


LIMIT = 'Limit("4-16-128")'
SIDES: dict[str, Callable[[bool], Any]] = {
    LIMIT: adaptive,
    "Semaphore(20)": semaphore(20),
    "Semaphore(40)": semaphore(40),
}
COLORS = {LIMIT: OURS, "Semaphore(20)": STDLIB, "Semaphore(40)": THIRD}


def draw(figures: dict[str, Any]) -> list[list[str]]:
    made, (places, refusals) = figure(columns=2)
    ours = figures[LIMIT]
    phase_s = ours["phase_s"]
    edges = [number * phase_s for number in range(len(CAPACITIES) + 1)]
    places.stairs(CAPACITIES, edges, baseline=None, color=FAINT, linewidth=5, alpha=0.5, label="what the server takes")
    whens, bounds = zip(*ours["bounds"], strict=True)
    places.step([*whens, edges[-1]], [*bounds, bounds[-1]], where="post", color=OURS, linewidth=1.4)
    rows = [["100 agents", "served", "refused (429)", "of all requests"]]
    for name, told in figures.items():
        middles = [(place + 0.5) * phase_s / BINS for place in range(len(told["served"]))]
        rates = [count / phase_s * BINS for count in told["refused"]]
        refusals.plot(middles, rates, color=COLORS[name], label=name)
        served, refused = sum(told["served"]), sum(told["refused"])
        rows.append([name, f"{served:,}", f"{refused:,}", f"{refused / (served + refused):.1%}"])
    places.set(title="places", xlabel="seconds", ylim=(0, 50))
    refusals.set(title="refused a second (429)", xlabel="seconds", ylim=(-5, None))
    made.legend(loc="outside lower center", ncols=4)
    save(
        __file__, made, "A limit's bound follows a server that takes 20, 10, 20, 40, 20 at once; and refusals a second."
    )
    return rows


if __name__ == "__main__":
    main(__file__, SIDES, draw)
