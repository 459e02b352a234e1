"""Several streams read as one."""

import asyncio
import gc
import sys
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator

import pytest

from linecook import Ask, Inbox, Topic, agent, budget, merge, pipeline, team, tool
from linecook.errors import AlreadyRun, CallCancelled, NestedTool, TimedOutError, UsageError
from linecook.tools.stream import Stream


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


async def test_agents_that_fail_at_once_are_told_together() -> None:
    @agent
    async def burnt(name: str) -> AsyncIterator[str]:
        raise ValueError(name)
        yield name

    with pytest.raises(ValueError, match="a") as caught:
        async for _ in merge([burnt("a"), burnt("b")]):
            pass
    assert any(
        "another stream of this merge failed as well: ValueError('b')" in note for note in caught.value.__notes__
    )
    assert any(note.startswith("in merge of 2 streams") for note in caught.value.__notes__)


async def test_one_that_would_not_end_holds_a_failure_up_for_its_grace_at_most(
    caplog: pytest.LogCaptureFixture,
) -> None:
    freed = asyncio.Event()

    @agent
    async def burnt() -> AsyncIterator[int]:
        await asyncio.sleep(0.01)
        raise ValueError("burnt")
        yield 1

    @agent(grace=0.02)
    async def deaf() -> AsyncIterator[int]:
        while not freed.is_set():
            try:
                await freed.wait()
            except asyncio.CancelledError:
                continue
        yield 1

    async with asyncio.timeout(5):
        with pytest.raises(ValueError, match="burnt"):
            async for _ in merge([burnt(), deaf()]):
                pass
        freed.set()
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.001)


async def test_a_stream_has_one_reader_in_merges_too() -> None:
    soup = dishes("soup", 2, delay=0.01)
    async with merge([soup]) as pieces:
        assert await anext(pieces) == (0, "soup 0")
        with pytest.raises(AlreadyRun, match="one reader"):
            await anext(soup)
        assert [pair async for pair in pieces] == [(0, "soup 1")]


async def test_a_stream_that_was_begun_goes_on_in_a_merge() -> None:
    soup = dishes("soup", 3)
    assert await anext(soup) == "soup 0"
    found = [piece async for _, piece in merge([soup, merge([dishes("cake", 1)])])]
    assert [piece for piece in found if isinstance(piece, str)] == ["soup 1", "soup 2"]
    assert (0, "cake 0") in found


async def test_a_stream_that_somebody_else_closes_ends_in_the_merge() -> None:
    soup = dishes("soup", 1000)
    async with merge({"soup": soup, "cake": dishes("cake", 2, delay=0.01)}) as pieces:
        assert await anext(pieces) == ("soup", "soup 0")
        await soup.aclose()
        assert [piece async for _, piece in pieces] == ["cake 0", "cake 1"]


async def test_time_outs_of_streams_hold_in_a_merge(clock: None) -> None:
    slow = agent(timeout=1)(dishes.body)
    silent = tool(idle_timeout=1)(dishes.body)
    for stream, whose in ((slow("slow", 3, delay=0.7), "timeout"), (silent("silent", 1, delay=5), "idle_timeout")):
        found: list[str] = []
        with pytest.raises(TimedOutError, match=f"{whose}=1 s"):
            async for _, piece in merge([stream, dishes("cake", 1)]):
                found.append(piece)
        assert "cake 0" in found


async def test_a_tool_reads_no_merge() -> None:
    @tool
    async def nosy() -> None:
        async for _ in merge([made]):
            pass

    made = dishes("a", 1)
    with pytest.raises(NestedTool, match="merge"):
        await nosy()
    await made.aclose()


@pytest.mark.parametrize("leave", ["read", "left", "cancelled"])
async def test_a_merge_that_has_ended_leaves_nothing_to_the_garbage_collector(leave: str) -> None:
    gc.collect()
    gc.disable()
    try:
        soup, cake = dishes("soup", 3), dishes("cake", 3)
        calls = [weakref.ref(soup.call), weakref.ref(cake.call)]
        reader = asyncio.ensure_future(_read(merge([soup, cake]), leave))
        del soup, cake
        await asyncio.wait([reader])
        del reader
        for _ in range(5):
            await asyncio.sleep(0)
        assert [call() for call in calls] == [None, None]
    finally:
        gc.enable()


async def _read(pieces: Stream[tuple[int, str]], leave: str) -> None:
    async with pieces:
        async for _ in pieces:
            if leave == "left":
                return
            if leave == "cancelled":
                current_task().cancel()


def current_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are eager tasks since 3.12")
async def test_agents_that_fail_in_an_eager_first_step_fail_the_merge() -> None:
    @agent
    async def burnt() -> AsyncIterator[int]:
        raise ValueError("burnt")
        yield 1

    cake = Watched()
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        with pytest.raises(ValueError, match="burnt"):
            async for _ in merge([burnt(), cake.write()]):
                pass
        assert cake.ended
    finally:
        loop.set_task_factory(None)
