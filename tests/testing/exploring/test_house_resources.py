"""Our own resources, in every order: opened once, closed once, the last first, whoever is cancelled meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from linecook import Failed, Ok, Runtime, gather, resource, settle, tool
from linecook.errors import ResourceFailed
from linecook.testing import outside
from tests.testing.exploring.house import in_every_order

LOG = list[str]()


@resource
async def pantry() -> AsyncIterator[str]:
    await outside("the pantry's door")
    LOG.append("pantry opened")
    try:
        yield "pantry"
    finally:
        LOG.append("pantry closed")


@resource
async def kitchen() -> AsyncIterator[str]:
    shelves = await pantry()
    LOG.append("kitchen opened")
    try:
        yield f"kitchen with {shelves}"
    finally:
        LOG.append("kitchen closed")


@resource
async def cellar() -> AsyncIterator[int]:
    LOG.append("cellar tried")
    number = len(LOG)
    await outside("the cellar's door")
    if number == 1:
        raise OSError("it sticks")
    yield number
    LOG.append("cellar closed")


@tool
async def cook() -> str:
    return await kitchen()


@tool
async def fetch_wine() -> int:
    return await cellar()


def opened_once_each() -> bool:
    return LOG == ["pantry opened", "kitchen opened", "kitchen closed", "pantry closed"]


async def three_ask_at_once() -> None:
    LOG.clear()
    async with Runtime():
        assert await gather(cook() for _ in range(3)) == ["kitchen with pantry"] * 3
    assert opened_once_each(), LOG


async def who_opens_is_cancelled() -> None:
    LOG.clear()
    async with Runtime():
        opener, other = asyncio.create_task(cook()), asyncio.create_task(cook())
        await outside("the cancel")
        opener.cancel()
        await asyncio.wait([opener, other])
        assert other.result() == "kitchen with pantry"
    assert opened_once_each(), LOG


async def all_are_cancelled() -> None:
    LOG.clear()
    async with Runtime():
        both = [asyncio.create_task(cook()), asyncio.create_task(cook())]
        for task in both:
            await outside("the cancel")
            task.cancel()
        await asyncio.wait(both)
        assert await cook() == "kitchen with pantry"
    assert LOG[-2:] == ["kitchen closed", "pantry closed"], LOG
    assert LOG.count("pantry opened") == LOG.count("pantry closed"), LOG
    assert LOG.count("kitchen opened") == LOG.count("kitchen closed"), LOG


async def the_runtime_ends_while_it_opens() -> None:
    LOG.clear()
    async with Runtime():
        task = asyncio.create_task(cook())
        await outside("the end")
        task.cancel()
    await asyncio.wait([task])
    assert LOG.count("pantry opened") == LOG.count("pantry closed"), LOG
    assert LOG.count("kitchen opened") == LOG.count("kitchen closed"), LOG


async def it_fails_to_open_once() -> None:
    LOG.clear()
    async with Runtime():
        for outcome in await settle(fetch_wine(), fetch_wine()):
            assert isinstance(outcome, Ok) or (
                isinstance(outcome, Failed) and isinstance(outcome.error, ResourceFailed)
            )
        assert await fetch_wine() == 2
    assert LOG == ["cellar tried", "cellar tried", "cellar closed"], LOG


PROGRAMS = [
    three_ask_at_once, who_opens_is_cancelled, all_are_cancelled, the_runtime_ends_while_it_opens,
    it_fails_to_open_once,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_resource_is_opened_once_and_closed_once_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program)
