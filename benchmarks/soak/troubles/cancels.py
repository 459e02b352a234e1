"""Trees of agents, cancelled in the middle; bodies that resist; siblings that fail; fan-outs left early."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from benchmarks.soak.kitchen import Burnt, Kitchen, every
from benchmarks.soak.troubles.threads import short
from linecook import Ok, agent, as_completed, fail_after, first, gather, move_on_after, scope, settle, tool
from linecook.errors import TimedOutError


@tool(timeout=0.05, grace=0.1)
async def resists(seconds: float, times: int) -> None:
    """Swallow the first cancellations, as a careless body does."""
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            if times == 0:
                raise
            times -= 1


@every(0.4)
async def bodies_that_resist(kitchen: Kitchen) -> None:
    times = kitchen.dice.choice([0, 1, 2, 10])
    outcomes = await settle(resists(kitchen.dice.uniform(0.1, 1.5), times) for _ in range(5))
    kitchen.expect(outcomes.counts["timed_out"] == 5, f"bodies that resist: {outcomes!r}")
    kitchen.calls += 5


@agent
async def digs(depth: int, width: int) -> int:
    """An agent that asks agents that ask agents, down to a tool."""
    if depth == 0:
        return await short(0)
    return sum(await gather(digs(depth - 1, width) for _ in range(width)))


@every(0.3)
async def cancel_storms(kitchen: Kitchen) -> None:
    """A tree of agents, cancelled somewhere in the middle, by a task, a deadline, or a scope."""
    way, after = kitchen.dice.choice(["task", "deadline", "scope"]), kitchen.dice.uniform(0.0, 0.05)
    if way == "task":
        task = asyncio.create_task(_dig())
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.wait([task])
    elif way == "deadline":
        with move_on_after(after):
            await digs(3, 4)
    else:
        async with scope() as s:
            handles = [s.start(digs(2, 4)) for _ in range(4)]
            await asyncio.sleep(after)
            s.cancel()
            kitchen.expect(len(handles) == 4, "a scope lost a handle")
    kitchen.calls += 85


async def _dig() -> int:
    return await digs(3, 4)


@every(0.3)
async def siblings_that_fail(kitchen: Kitchen) -> None:
    async def fail() -> int:
        await asyncio.sleep(0.005)
        raise Burnt

    with suppress(Burnt):
        await gather([digs(2, 3), digs(2, 3), fail()])
    kitchen.expect(await first([fail(), digs(1, 2), digs(1, 2)]) == 2, "first is wrong")
    with suppress(Burnt):
        async with scope() as s:
            s.start(digs(2, 3))
            s.start(fail())
            await asyncio.sleep(1)
    with suppress(TimedOutError):
        with fail_after(0.01):
            await gather(digs(2, 3) for _ in range(10))
    kitchen.calls += 60


@tool
async def waits(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@every(0.3)
async def fan_outs_left_early(kitchen: Kitchen) -> None:
    """An endless input, of which a few outcomes are read: within a block, and without one."""

    def endless() -> Iterator[Any]:
        while True:
            yield waits(kitchen.dice.uniform(0.0, 0.02))

    async with as_completed(endless(), limit=50) as outcomes:
        async for _ in outcomes:
            if kitchen.dice.random() < 0.02:
                break
    async for outcome in as_completed(endless(), limit=20):  # dropped, not closed
        kitchen.expect(isinstance(outcome, Ok), repr(outcome))
        break
    kitchen.calls += 70
