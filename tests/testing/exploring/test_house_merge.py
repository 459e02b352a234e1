"""Our own merged streams, in every order: each stream's pieces once and in its order, and all ended with the reader."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from linecook import Ask, Inbox, agent, fail_after, merge, team
from linecook.errors import TimedOutError
from linecook.testing import outside
from tests.testing.exploring.house import Kitchen, cancelled_sometime, in_every_order


async def pieces_of(kitchen: Kitchen, name: str, count: int) -> AsyncIterator[str]:
    """Make so many pieces, and clean up with an await."""
    kitchen.at_work.append(name)
    try:
        for number in range(count):
            yield await outside(f"{name}{number}")
    finally:
        try:
            await asyncio.sleep(0)
        finally:
            kitchen.at_work.remove(name)


async def broken(kitchen: Kitchen) -> AsyncIterator[str]:
    yield await kitchen.cook("x0")
    await kitchen.burn("x1")


Writer = Callable[[Kitchen, str, int], AsyncIterator[str]]
Broken = Callable[[Kitchen], AsyncIterator[str]]
WAYS: list[tuple[Writer, Broken]] = [(pieces_of, broken), (agent(pieces_of), agent(broken))]


def assert_in_order(read: list[tuple[Any, str]], name: str, count: int) -> None:
    mine = [piece for of, piece in read if of == name]
    assert mine == [f"{name}{number}" for number in range(count)][: len(mine)]


async def assert_soon_quiet(kitchen: Kitchen) -> None:
    """See all end: where their grace of 0.5 s was over at once, the loop's supervisor does."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert kitchen.is_quiet()


async def read_to_the_end(pieces_of: Writer, broken: Broken) -> None:
    kitchen = Kitchen()
    read = [pair async for pair in merge({name: pieces_of(kitchen, name, 2) for name in "ab"})]
    assert len(read) == 4
    assert_in_order(read, "a", 2)
    assert_in_order(read, "b", 2)
    assert kitchen.is_quiet()


async def read_by_a_slow_reader(pieces_of: Writer, broken: Broken) -> None:
    kitchen, read = Kitchen(), list[tuple[Any, str]]()
    async for pair in merge({"a": pieces_of(kitchen, "a", 2), "b": pieces_of(kitchen, "b", 1)}):
        read.append(pair)
        await outside("a slow reader")
    assert len(read) == 3
    assert_in_order(read, "a", 2)
    assert kitchen.is_quiet()


async def left_early(pieces_of: Writer, broken: Broken) -> None:
    kitchen, read = Kitchen(), list[tuple[Any, str]]()
    async with merge({name: pieces_of(kitchen, name, 2) for name in "ab"}) as pairs:
        async for pair in pairs:
            read.append(pair)
            if len(read) == 2:
                break
    assert_in_order(read, "a", 2)
    assert_in_order(read, "b", 2)
    await assert_soon_quiet(kitchen)


async def the_reader_is_cancelled(pieces_of: Writer, broken: Broken) -> None:
    kitchen, read = Kitchen(), list[tuple[Any, str]]()

    async def reader() -> None:
        async with merge({"a": pieces_of(kitchen, "a", 2), "b": pieces_of(kitchen, "b", 1)}) as pairs:
            async for pair in pairs:
                read.append(pair)

    task = asyncio.create_task(reader())
    assert await cancelled_sometime(task) == task.cancelled()
    assert task.cancelled() or len(read) == 3
    assert_in_order(read, "a", 2)
    await assert_soon_quiet(kitchen)


async def the_reader_is_late(pieces_of: Writer, broken: Broken) -> None:
    kitchen, read = Kitchen(), list[tuple[Any, str]]()
    try:
        with fail_after(1):
            async with merge({"a": pieces_of(kitchen, "a", 2), "b": pieces_of(kitchen, "b", 1)}) as pairs:
                async for pair in pairs:
                    read.append(pair)
    except TimedOutError:
        pass
    else:
        assert len(read) == 3
    assert_in_order(read, "a", 2)
    await assert_soon_quiet(kitchen)


async def one_fails(pieces_of: Writer, broken: Broken) -> None:
    kitchen, read = Kitchen(), list[tuple[Any, str]]()
    with pytest.raises(ValueError, match="x1"):
        async with merge({"a": pieces_of(kitchen, "a", 2), "x": broken(kitchen)}) as pairs:
            async for pair in pairs:
                read.append(pair)
    assert ("x", "x0") in read
    assert_in_order(read, "a", 2)
    assert kitchen.is_quiet()


@dataclass(frozen=True, slots=True)
class Order(Ask[str]):
    dish: str


async def answers_of_agents() -> None:
    """Two agents' answers; the reader may leave, and then both agents answer the next as if nothing had been."""
    kitchen = Kitchen(most=1)

    @agent
    async def teller(inbox: Inbox[Order], kitchen: Kitchen | None) -> None:
        async for message in inbox:
            dish = message.body.dish
            if await message.send(dish if kitchen is None else await kitchen.cook(dish)):
                message.reply("end")

    async with team() as t:
        ann, bob = t.start(teller(kitchen)), t.start(teller(None))

        async def read() -> list[tuple[str, str]]:
            async with merge({"ann": ann.stream(Order("a")), "bob": bob.stream(Order("b"))}) as pairs:
                return [pair async for pair in pairs]

        task = asyncio.create_task(read())
        assert await cancelled_sometime(task) == task.cancelled()
        if not task.cancelled():
            assert sorted(task.result()) == [("ann", "a"), ("ann", "end"), ("bob", "b"), ("bob", "end")]
        assert [piece async for piece in ann.stream(Order("c"))] == ["c", "end"]
        assert ann.statistics()["waiting"] == bob.statistics()["waiting"] == 0
    assert kitchen.is_quiet()


PROGRAMS = [read_to_the_end, read_by_a_slow_reader, left_early, the_reader_is_cancelled, the_reader_is_late, one_fails]


@pytest.mark.slow
@pytest.mark.timeout(170)  # some thousand schedules each, on a machine that may be busy
@pytest.mark.parametrize("way", WAYS, ids=["generators", "agents"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_merged_streams_keep_their_word_in_every_order(
    program: Callable[[Writer, Broken], Awaitable[None]], way: tuple[Writer, Broken]
) -> None:
    in_every_order(lambda: program(*way), seconds=150)


@pytest.mark.slow
@pytest.mark.timeout(170)
def test_merged_answers_of_agents_keep_their_word_in_every_order() -> None:
    in_every_order(answers_of_agents, seconds=150)
