"""Streams and pipelines: left early, late, with items that fail or kill."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from benchmarks.soak.kitchen import Burnt, Kitchen, every
from benchmarks.soak.troubles.threads import short
from linecook import agent, merge, pipeline, tool
from linecook.errors import TimedOutError


@tool(idle_timeout=0.2, effect="read")
def pieces(count: int, pause: float) -> Iterator[int]:
    for number in range(count):
        time.sleep(pause if number % 7 == 6 else 0)
        yield number


@tool
async def words(count: int) -> AsyncIterator[str]:
    for number in range(count):
        await asyncio.sleep(0)
        yield f"word {number}"


@agent
async def tells(count: int) -> AsyncIterator[int]:
    async for number in pieces(count, 0.0):
        yield await short(number)


@every(0.3)
async def streams_left_early(kitchen: Kitchen) -> None:
    async for _ in words(100):  # dropped, not closed
        break
    with suppress(TimedOutError):  # a busy machine may be late with any piece
        async with pieces(1000, 0.001) as numbers:
            async for number in numbers:
                if number > 20:
                    break
        async with merge({"a": words(50), "b": tells(50), "c": pieces(50, 0.0)}) as told:
            async for _name, _piece in told:
                if kitchen.dice.random() < 0.02:
                    break
        async for _ in pieces(20, 0.5):  # always too late
            pass
    kitchen.calls += 6


@tool(lane="process", effect="read")
def squares(number: int) -> int:
    if number == 13:
        os._exit(1)  # kills its process every time
    return number * number


@tool(effect="read")
def spread(number: int) -> Iterator[int]:
    yield from range(number % 4)


@tool(effect="read")
async def picky(number: int) -> int:
    if number % 10 == 9:
        raise Burnt(number)
    return number


@every(0.5)
async def pipelines_under_pressure(kitchen: Kitchen) -> None:
    made = (
        pipeline(range(200))
        .map(picky, on_error="skip")
        .map(short, ordered=True)
        .flat_map(spread, ordered=True)
        .batch(10, wait=0.01)
    )
    batches = await made.collect()
    kitchen.expect(sum(map(len, batches)) == sum((n + 1) % 4 for n in range(200) if n % 10 != 9), "items were lost")
    kitchen.expect(len(made.dead_letters) == 20, f"{len(made.dead_letters)} dead letters of 20")
    async with pipeline(iter(range(10**9))).map(short).map(picky, on_error="skip") as results:
        async for _ in results:
            if kitchen.dice.random() < 0.01:
                break
    kitchen.calls += 700


@every(5.0)
async def pipelines_with_poison(kitchen: Kitchen) -> None:
    made = pipeline(range(20)).map(squares, on_error="skip", ordered=True)
    kitchen.expect(await made.collect() == [n * n for n in range(20) if n != 13], "the poison took others along")
    kitchen.expect([letter.value for letter in made.dead_letters] == [13], "the poison is no dead letter")
    kitchen.calls += 22
