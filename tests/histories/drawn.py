"""Small programs drawn at random out of asyncio's parts, which note what they did and in which order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

Outcome = tuple[tuple[str, ...], tuple[str, ...]]
Part = Callable[["Drawn", str], Awaitable[None]]
PARTS: dict[str, Part] = {}
LARGE = {10, 17, 20, 21, 29, 30, 34, 38}
"""Seeds below 40 whose programs have more than 700 schedules with two overtakings: too many for a naive search."""


def part(run: Part) -> Part:
    """Add something that a task may do."""
    PARTS[run.__name__] = run
    return run


class Drawn:
    """One run of a drawn program: what its tasks share, and the log."""

    def __init__(self, outside: Callable[..., Awaitable[Any]]) -> None:
        self.outside = outside
        self.log: list[str] = []
        self.lock, self.condition, self.slot = asyncio.Lock(), asyncio.Condition(), asyncio.Semaphore(1)
        self.event, self.queue = asyncio.Event(), asyncio.Queue[str]()
        self.tasks: list[asyncio.Task[None]] = []

    async def do(self, number: int, parts: list[str]) -> None:
        """Be task *number*."""
        for name in parts:
            try:
                await PARTS[name](self, f"{number}")
                self.log.append(f"{number} {name}")
            except TimeoutError:
                self.log.append(f"{number} {name}: too late")

    async def run(self, drawn: list[list[str]]) -> Outcome:
        """Run all tasks to the end."""
        self.tasks = [asyncio.ensure_future(self.do(number, parts)) for number, parts in enumerate(drawn)]
        ends = await asyncio.gather(*self.tasks, return_exceptions=True)
        return tuple(self.log), tuple(type(end).__name__ for end in ends)


@part
async def call(run: Drawn, who: str) -> None:
    await run.outside()


@part
async def hop(run: Drawn, who: str) -> None:
    await asyncio.sleep(0)


@part
async def sleep(run: Drawn, who: str) -> None:
    await asyncio.sleep(1.5)


@part
async def call_with_timeout(run: Drawn, who: str) -> None:
    async with asyncio.timeout(1):
        await run.outside()


@part
async def call_waited_for(run: Drawn, who: str) -> None:
    await asyncio.wait_for(run.outside(), 3)


@part
async def shielded_call(run: Drawn, who: str) -> None:
    inner = asyncio.ensure_future(run.outside())
    try:
        await asyncio.shield(inner)
    finally:
        inner.cancel()


@part
async def locked_call(run: Drawn, who: str) -> None:
    async with run.lock:
        run.log.append(f"{who} has the lock")
        await run.outside()


@part
async def slotted_call(run: Drawn, who: str) -> None:
    async with run.slot:
        await run.outside()


@part
async def set_event(run: Drawn, who: str) -> None:
    run.event.set()


@part
async def wait_for_event(run: Drawn, who: str) -> None:
    async with asyncio.timeout(2):
        await run.event.wait()


@part
async def put(run: Drawn, who: str) -> None:
    run.queue.put_nowait(who)


@part
async def get(run: Drawn, who: str) -> None:
    async with asyncio.timeout(2):
        run.log.append(f"{who} got {await run.queue.get()}")


@part
async def notify_and_wait(run: Drawn, who: str) -> None:
    async with run.condition:
        run.condition.notify()
        async with asyncio.timeout(2):
            await run.condition.wait()


@part
async def two_calls(run: Drawn, who: str) -> None:
    async def one(number: int) -> None:
        await run.outside()
        run.log.append(f"{who} call {number}")

    await asyncio.gather(one(1), one(2))


@part
async def child(run: Drawn, who: str) -> None:
    async def inner() -> None:
        await locked_call(run, f"{who}'s child")

    await asyncio.create_task(inner())


@part
async def cancel_the_next(run: Drawn, who: str) -> None:
    await run.outside()
    run.tasks[(int(who) + 1) % len(run.tasks)].cancel()


@part
async def post(run: Drawn, who: str) -> None:
    asyncio.get_running_loop().call_soon(run.log.append, f"{who}'s callback")


def draw(seed: int) -> list[list[str]]:
    """Return two or three tasks with up to three parts each; the same for the same *seed*."""
    dice = random.Random(seed)
    names = [*PARTS, "call", "call"]
    return [[dice.choice(names) for _ in range(dice.randint(1, 3))] for _ in range(dice.choice((2, 2, 3)))]


def program(drawn: list[list[str]], outside: Callable[..., Awaitable[Any]], outcomes: set[Outcome]) -> ModuleType:
    """Return a program like those of bugs/: each run of its ``main`` adds its outcome to *outcomes*."""
    made = ModuleType("drawn")

    async def main() -> None:
        outcomes.add(await Drawn(made.outside).run(drawn))

    made.outside, made.main = outside, main  # type: ignore[attr-defined]
    return made
