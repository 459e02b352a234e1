"""How many of 1,000 agents have their answer, over time, when one call in fifty never returns."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from _plot import FAINT, FOURTH, OURS, STDLIB, figure, main, save

DEADLINE = 2.0  # seconds for each call, from the start


def look_up(number: int) -> int:
    """Answer after 5 ms, as a quick service does; one call in fifty never returns."""
    if number % 50 == 25:
        threading.Event().wait()
    time.sleep(0.005)
    return number


def moments(quick: bool, clerk: Any) -> Any:
    """Run all agents at once; return how long each answer took, in order of arrival, and how many are healthy."""
    agents = 200 if quick else 1000
    deadline = 1.0 if quick else DEADLINE
    arrived: list[float] = []

    async def all_of_them() -> None:
        began = time.perf_counter()

        async def one(number: int) -> None:
            try:
                await clerk(number, deadline)
            except TimeoutError:
                return
            arrived.append(time.perf_counter() - began)

        await asyncio.gather(*(one(n) for n in range(agents)))

    return {"arrived": arrived, "healthy": sum(n % 50 != 25 for n in range(agents)), "coroutine": all_of_them}


def stdlib(quick: bool, pool: ThreadPoolExecutor | None) -> Any:
    """The loop's own pool, or one of the program's."""

    async def clerk(number: int, deadline: float) -> int:
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.run_in_executor(pool, look_up, number), deadline)

    told = moments(quick, clerk)
    loop = asyncio.new_event_loop()  # not asyncio.run: it would wait for the hung threads
    loop.run_until_complete(told.pop("coroutine")())
    return told


def linecook(quick: bool) -> Any:
    from linecook import run, tool

    asked: dict[float, Any] = {}

    async def clerk(number: int, deadline: float) -> int:
        if deadline not in asked:
            asked[deadline] = tool(timeout=deadline)(look_up)
        return await asked[deadline](number)

    told = moments(quick, clerk)
    run(told.pop("coroutine")())
    return told


SIDES = {
    "linecook": linecook,
    "ThreadPoolExecutor(10)": lambda quick: stdlib(quick, ThreadPoolExecutor(10)),
    "asyncio.to_thread": lambda quick: stdlib(quick, None),
}


def draw(figures: dict[str, Any]) -> list[list[str]]:
    made, (panel,) = figure()
    rows = [["", "right answers of the healthy", "the last of them after"]]
    for (name, told), color in zip(figures.items(), (OURS, FOURTH, STDLIB), strict=True):
        arrived = told["arrived"]
        shown = [*range(0, len(arrived), 20), len(arrived) - 1]  # every twentieth answer is enough for the eye
        panel.plot([0, *(arrived[n] for n in shown), DEADLINE], [0, *(n + 1 for n in shown), len(arrived)], color=color)
        panel.annotate(f"{name}: {len(arrived)}", (DEADLINE, len(arrived)), (-4, 5), textcoords="offset points",
                       ha="right", color=color)  # fmt: skip
        rows.append([name, f"{len(arrived)} of {told['healthy']}", f"{arrived[-1]:.2f} s"])
    panel.axvline(DEADLINE, color=FAINT, linestyle=":", linewidth=1.2)
    panel.set(title="1,000 agents, a tool of 5 ms; 1 call in 50 never returns", ylabel="agents with an answer",
              xlabel="seconds since the start; every call has a deadline of 2 s", xlim=(0, DEADLINE),
              ylim=(0, 1090))  # fmt: skip
    save(__file__, made, "Right answers over time: linecook reaches all healthy agents, the pools stop half-way.")
    return rows


if __name__ == "__main__":
    main(__file__, SIDES, draw)
