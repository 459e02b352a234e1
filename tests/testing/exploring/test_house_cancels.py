"""Our own primitives, cancelled once at any await of any task, in every order: nothing is left behind or held."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from linecook import (
    Ask,
    Inbox,
    Limit,
    Runtime,
    Shared,
    Topic,
    agent,
    as_completed,
    first,
    gather,
    merge,
    move_on_after,
    resource,
    scope,
    settle,
    team,
    tool,
)
from linecook.testing import outside
from tests.testing.exploring.house import Kitchen, in_every_order

Use = Callable[[Kitchen], Awaitable[Any]]
KITCHENS = list[Kitchen]()
LOG = list[str]()


@tool(limit=Limit(1))
async def fry(dish: str) -> str:
    return await KITCHENS[-1].cook(dish)


@resource
async def pantry() -> AsyncIterator[str]:
    LOG.append("opened")
    try:
        await outside()
        yield "pantry"
    finally:
        LOG.append("closed")


@tool
async def cook() -> str:
    return await pantry()


async def gathered(kitchen: Kitchen) -> None:
    await gather((kitchen.tidy(dish) for dish in "abc"), limit=2)


async def gathered_with_a_failure(kitchen: Kitchen) -> None:
    await gather(kitchen.tidy("a"), kitchen.burn("b"))


async def settled(kitchen: Kitchen) -> None:
    await settle((kitchen.tidy(dish) for dish in "abc"), limit=2, timeout=1)


async def completed(kitchen: Kitchen) -> None:
    async with as_completed((kitchen.tidy(dish) for dish in "abc"), limit=2) as outcomes:
        async for _ in outcomes:
            await asyncio.sleep(0)


async def raced(kitchen: Kitchen) -> None:
    await first(kitchen.tidy("a"), kitchen.tidy("b"))


async def scoped(kitchen: Kitchen) -> None:
    with move_on_after(1):
        async with scope() as outer:
            outer.start(kitchen.tidy("a"))
            async with scope() as inner:
                inner.start(kitchen.tidy("b"))


async def limited(_kitchen: Kitchen) -> None:
    await settle(fry("a"), fry("b"))


async def with_a_resource(_kitchen: Kitchen) -> None:
    async with Runtime():
        await settle(cook(), cook())


async def edited(kitchen: Kitchen) -> None:
    cell = Shared(0)

    async def edit(dish: str) -> None:
        async with cell.edit() as draft:
            await kitchen.cook(dish)
            draft.value += 1

    await settle(edit("a"), edit("b"))
    async with asyncio.timeout(10), cell.edit() as draft:  # nobody has kept the turn
        draft.value += 1


@dataclass(frozen=True, slots=True)
class Order(Ask[str]):
    dish: str


@agent
async def chef(inbox: Inbox[Order], kitchen: Kitchen) -> None:
    async for message in inbox:
        dish = message.body.dish
        message.reply(await (kitchen.burn(dish) if dish == "burnt" else kitchen.tidy(dish)))


async def asked(kitchen: Kitchen) -> None:
    async with team() as t:
        ref = t.start(chef(kitchen))
        await settle(ref.ask(Order("a")), ref.ask(Order("b")))


async def restarted_together(kitchen: Kitchen) -> None:
    async with team(restart="one_for_all") as t:
        a, b = t.start(chef(kitchen)), t.start(chef(kitchen))
        await settle(a.ask(Order("burnt")), b.ask(Order("b")))


async def merged(kitchen: Kitchen) -> None:
    @agent
    async def teller(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            await message.send(await kitchen.tidy("a"))

    async with team() as t:
        ref = t.start(teller())
        async with merge({"a": ref.stream(Order("a"))}) as pieces:
            async for _ in pieces:
                await outside()


async def published(kitchen: Kitchen) -> None:
    topic = Topic[int](keep=1)

    async def listen() -> None:
        async with topic.subscribe(when_slow="block") as mine:
            async for _ in mine:
                await kitchen.tidy("a")

    async with scope() as s:
        s.start(listen())
        await asyncio.sleep(0)
        for number in range(3):
            await topic.publish(number)
        topic.close()
    assert topic.statistics()["subscribers"] == 0


USES = [
    gathered, gathered_with_a_failure, settled, completed, raced, scoped, limited, with_a_resource, edited, asked,
    restarted_together, merged, published,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_a_cancel_at_any_await_leaves_nothing_behind(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="linecook")

    async def main() -> None:
        LOG.clear()
        KITCHENS[:] = [kitchen := Kitchen()]
        task = asyncio.ensure_future(use(kitchen))
        try:
            await asyncio.wait([task])
        finally:  # main may be the one that is cancelled
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or task.exception() is None or isinstance(task.exception(), Exception)
            assert kitchen.is_quiet(), kitchen.at_work
            assert LOG.count("opened") == LOG.count("closed"), LOG
        assert use is not limited or await fry("c") == "c"

    in_every_order(main, overtakings=1, faults=1, fault_kinds=("cancel",))
