"""Several streams read as one."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator

import pytest

from linecook import Ask, Inbox, Topic, agent, budget, merge, pipeline, team, tool
from linecook.errors import CallCancelled, UsageError


@agent
async def dishes(name: str, count: int, delay: float = 0.0) -> AsyncIterator[str]:
    for number in range(count):
        await asyncio.sleep(delay)
        yield f"{name} {number}"


class Watched:
    """A stream that notes how far its writer came and whether it was ended."""

    def __init__(self) -> None:
        self.made = 0
        self.ended = False

    async def write(self) -> AsyncIterator[int]:
        try:
            while True:
                await asyncio.sleep(0)
                self.made += 1
                yield self.made
        finally:
            self.ended = True


async def test_pieces_of_each_stream_come_in_order_with_its_name() -> None:
    pieces = [pair async for pair in merge({"soup": dishes("soup", 30), "cake": dishes("cake", 20)})]
    assert [piece for name, piece in pieces if name == "soup"] == [f"soup {n}" for n in range(30)]
    assert [piece for name, piece in pieces if name == "cake"] == [f"cake {n}" for n in range(20)]


async def test_what_arrives_first_is_read_first() -> None:
    slow, quick = dishes("slow", 1, delay=0.05), dishes("quick", 3)
    names = [name async for name, _ in merge({"slow": slow, "quick": quick})]
    assert names == ["quick", "quick", "quick", "slow"]


async def test_streams_without_names_are_numbered() -> None:
    assert sorted([pair async for pair in merge([dishes("a", 1), dishes("b", 1)])]) == [(0, "a 0"), (1, "b 0")]


async def test_none_at_all_end_at_once() -> None:
    assert [pair async for pair in merge({})] == []


async def test_a_slow_reader_slows_all_writers() -> None:
    soup, cake = Watched(), Watched()
    async with merge({"soup": soup.write(), "cake": cake.write()}) as pieces:
        await anext(pieces)
        for _ in range(500):
            await asyncio.sleep(0)
        assert soup.made + cake.made < 40


async def test_leaving_the_block_ends_all_writers() -> None:
    soup, cake = Watched(), Watched()
    async with merge([agent(soup.write)(), cake.write()]) as pieces:
        async for _ in pieces:
            if soup.made > 3 and cake.made > 3:
                break
    assert soup.ended
    assert cake.ended


async def test_cancelling_the_reader_ends_all_writers() -> None:
    soup, cake = Watched(), Watched()

    async def read() -> None:
        async for _ in merge([agent(soup.write)(), cake.write()]):
            pass

    reader = asyncio.create_task(read())
    while cake.made < 5:
        await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    async with asyncio.timeout(5):
        while not (soup.ended and cake.ended) or len(asyncio.all_tasks()) > 1:  # theirs end a turn later
            await asyncio.sleep(0.001)


async def test_a_failure_comes_after_the_pieces_before_it_and_ends_the_others() -> None:
    cake = Watched()

    @agent
    async def burnt() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise ValueError("burnt")

    found: list[int] = []
    with pytest.raises(ValueError, match="burnt"):
        async for name, piece in merge({"burnt": burnt(), "cake": cake.write()}):
            found += [piece] if name == "burnt" else []
    assert found == [1, 2]
    assert cake.ended


async def test_tools_on_threads_merge_too() -> None:
    @tool
    def lines(name: str) -> Iterator[str]:
        yield from (f"{name} {number}" for number in range(3))

    found = [piece async for _, piece in merge([lines("a"), lines("b")])]
    assert sorted(found) == ["a 0", "a 1", "a 2", "b 0", "b 1", "b 2"]


class Explain(Ask[str]):
    pass


@agent
async def tutor(inbox: Inbox[Explain], name: str) -> None:
    async for message in inbox:
        for number in range(3):
            await message.send(f"{name} {number}")


async def test_answers_of_agents_that_take_messages_merge_too() -> None:
    async with team() as school:
        ann, bob = school.start(tutor("ann")), school.start(tutor("bob"))
        pieces = merge({"ann": ann.stream(Explain()), "bob": bob.stream(Explain())})
        found = [pair async for pair in pieces]
    for name in ("ann", "bob"):
        assert [piece for told, piece in found if told == name] == [f"{name} {number}" for number in range(3)]


async def test_a_merge_counts_as_no_agent_and_its_streams_count_once() -> None:
    with budget(calls=2, depth=1) as purse:
        assert len([piece async for piece in merge([dishes("a", 2), dishes("b", 2)])]) == 4
    assert purse.spent.calls == 2


async def test_what_cant_be_read_is_named() -> None:
    with pytest.raises(UsageError, match=r"'cake' is .*as_completed"):
        merge({"cake": "a cake"})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="merge takes a dict or a list of streams, not None"):
        merge(None)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match=r"pass a subscription, topic\.subscribe\(\)"):
        merge([Topic("news")])  # type: ignore[list-item]
    async with team() as office:
        with pytest.raises(UsageError, match=r"ask the agent for one, ref\.stream\(question\)"):
            merge([office.start(tutor("ann"))])  # type: ignore[list-item]


async def test_a_stream_under_two_names_is_refused_and_what_begins_anew_is_not() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    once = numbers()
    with pytest.raises(UsageError, match=r"one stream under two names, 'a' and 'b': .*make a call for each"):
        merge({"a": once, "b": once})
    twice = pipeline([1])
    async with merge([twice, twice]) as pieces:
        assert sorted([pair async for pair in pieces]) == [(0, 1), (1, 1)]


async def test_one_that_is_closed_unread_leaves_nothing_unread() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await merge([dishes("a", 1)]).aclose()
        gc.collect()


async def test_a_stream_that_somebody_else_cancels_is_told_to_the_reader() -> None:
    silent = asyncio.Event()

    async def says_nothing() -> AsyncIterator[str]:
        await silent.wait()
        yield "never"

    before = asyncio.all_tasks()
    async with merge({"soup": says_nothing()}) as pieces:
        reading = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0.01)
        for task in asyncio.all_tasks() - before - {reading}:
            task.cancel()
        with pytest.raises(CallCancelled, match="soup"):
            await asyncio.wait_for(reading, 5)
