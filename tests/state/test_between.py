"""The awaits on the way from a read to a write, out of the bytecode."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from linecook import Shared
from linecook.errors import LostUpdate


async def tick() -> None:
    await asyncio.sleep(0)


async def overtaken(work: Callable[[Shared[int]], Any]) -> tuple[list[str], bool]:
    """Run *work* on a cell that somebody else writes again and again; return the awaits that its report names."""
    cell = Shared(0, lost_update="raise")

    async def meddle() -> None:
        while True:
            cell.update(lambda n: n + 1)
            await asyncio.sleep(0)

    meddler = asyncio.create_task(meddle())
    try:
        with pytest.raises(LostUpdate) as caught:
            await work(cell)
    finally:
        meddler.cancel()
        await asyncio.wait([meddler])
    return [line.source for line in caught.value.loss.awaits], caught.value.loss.certain


async def straight(cell: Shared[int]) -> None:
    await tick()  # before
    seen = cell.value
    await tick()  # between
    await asyncio.sleep(0)
    cell.value = seen
    await tick()  # after


async def in_a_loop(cell: Shared[int]) -> None:
    seen = cell.value
    while True:
        await tick()  # first
        cell.value = seen + 1
        await tick()  # second
        seen = cell.value
        await tick()  # third


async def in_branches(cell: Shared[int]) -> None:
    seen = cell.value
    if seen > 100:
        await tick()  # this way
    else:
        await tick()  # that way
    if seen > 1000:
        await tick()  # a way out
        return
    cell.value = seen + 1


async def around_a_failure(cell: Shared[int]) -> None:
    seen = cell.value
    try:
        await failing()
    except KeyError:
        await tick()  # handler
    finally:
        await tick()  # clean-up
    cell.value = seen


async def failing() -> None:
    await tick()
    raise KeyError


async def in_a_with(cell: Shared[int]) -> None:
    async with asyncio.Lock():
        seen = cell.value
    async for _ in three():
        pass
    cell.value = seen


async def three() -> Any:
    for n in range(3):
        await tick()
        yield n


async def writes_in_a_helper(cell: Shared[int]) -> None:
    seen = cell.value
    await tick()  # between
    await helper(cell, seen)


async def helper(cell: Shared[int], seen: int) -> None:
    await tick()  # in the helper
    cell.value = seen + 1


async def in_one_line(cell: Shared[int]) -> None:
    while True:
        cell.value = cell.value + await one()


async def one() -> int:
    await tick()
    return 1


@pytest.mark.parametrize(
    ("work", "awaits"),
    [
        (straight, ["await tick()  # between", "await asyncio.sleep(0)"]),
        (in_a_loop, ["await tick()  # first"]),
        (in_branches, ["await tick()  # this way", "await tick()  # that way"]),
        (around_a_failure, ["await failing()", "await tick()  # handler", "await tick()  # clean-up"]),
        (in_a_with, ["async with asyncio.Lock():", "async for _ in three():"]),
        (writes_in_a_helper, ["await tick()  # between", "await tick()  # in the helper"]),
        (in_one_line, ["cell.value = cell.value + await one()"]),
    ],
)
async def test_the_awaits_between_are_named(work: Any, awaits: list[str]) -> None:
    assert await overtaken(work) == (awaits, True)
