"""An answer in pieces: neither agent nor reader runs ahead of the other, and both learn when the other leaves."""

import asyncio
import gc
from dataclasses import dataclass

import pytest

from linecook import Ask, Inbox, agent, fail_after, team
from linecook.agents.replies import BUFFER
from linecook.errors import AgentFailed, MailboxClosed, TimedOutError, UsageError
from linecook.testing import VirtualClock


@dataclass(frozen=True)
class Letters(Ask[str]):
    word: str
    ending: str = ""


made: list[tuple[str, bool]] = []


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    made.clear()


@agent
async def speller(inbox: Inbox[Letters], delay: float = 0.0) -> None:
    async for message in inbox:
        for letter in message.body.word:
            if delay:
                await asyncio.sleep(delay)
            if letter == "!":
                raise ValueError("no letter")
            made.append((letter, await message.send(letter)))
        if message.body.ending:
            message.reply(message.body.ending)


async def test_pieces_come_in_order_and_end() -> None:
    async with team() as office:
        ref = office.start(speller())
        assert [letter async for letter in ref.stream(Letters("soup"))] == ["s", "o", "u", "p"]
        assert [letter async for letter in ref.stream(Letters("so", "."))] == ["s", "o", "."]
        assert [letter async for letter in ref.stream(Letters(""))] == []


async def test_a_piece_is_read_before_the_next_is_made(clock: VirtualClock) -> None:
    async with team() as office:
        times = [clock.time() async for _ in office.start(speller(delay=1)).stream(Letters("abc"))]
    assert times == pytest.approx([1, 2, 3], abs=0.01)


async def test_a_slow_reader_slows_the_agent() -> None:
    async with team() as office:
        pieces = office.start(speller()).stream(Letters("x" * 100))
        assert await anext(pieces) == "x"
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(made) <= BUFFER + 1
        assert len([letter async for letter in pieces]) == 99


async def test_the_agent_learns_that_the_reader_has_left() -> None:
    async with team() as office:
        ref = office.start(speller())
        async with ref.stream(Letters("x" * 100)) as pieces:
            await anext(pieces)
        assert [letter async for letter in ref.stream(Letters("ab"))] == ["a", "b"]
        assert (made[0], made[98], made[-1]) == (("x", True), ("x", False), ("b", True))
        assert [letter async for letter in pieces] == []


async def test_the_agent_learns_that_the_reader_was_dropped() -> None:
    async with team() as office:
        ref = office.start(speller())
        pieces = ref.stream(Letters("x" * 100))
        await anext(pieces)
        del pieces
        gc.collect()
        assert [letter async for letter in ref.stream(Letters("ab"))] == ["a", "b"]


async def test_the_reader_learns_that_the_agent_has_failed_after_the_pieces() -> None:
    async with team() as office:
        ref = office.start(speller())
        got: list[str] = []
        with pytest.raises(AgentFailed) as caught:
            async for letter in ref.stream(Letters("ab!c")):
                got.append(letter)  # noqa: PERF401 - an error ends it
        assert got == ["a", "b"]
        assert isinstance(caught.value.__cause__, ValueError)


async def test_a_stream_has_a_deadline(clock: VirtualClock) -> None:
    async with team(grace=0) as office:
        ref = office.start(speller(delay=1))
        got: list[str] = []
        with pytest.raises(TimedOutError, match=r"Letters\(word='abcdef', ending=''\)\) was not answered within"):
            async for letter in ref.stream(Letters("abcdef"), timeout=2.5):
                got.append(letter)  # noqa: PERF401 - an error ends it
        assert got == ["a", "b"]
        with pytest.raises(TimedOutError), fail_after(1.5):
            assert [letter async for letter in ref.stream(Letters("gh"))] == []


async def test_ask_of_an_answer_in_pieces_says_how_to_read_it() -> None:
    async with team() as office:
        with pytest.raises(UsageError, match="is answered in pieces: read them by stream"):
            await office.start(speller()).ask(Letters("ab"))


async def test_tell_of_an_answer_in_pieces_is_no_use() -> None:
    async with team() as office:
        await office.start(speller()).tell(Letters("ab"))
    assert made == [("a", False), ("b", False)]


async def test_a_stream_has_one_reader() -> None:
    async with team(grace=0) as office:
        pieces = office.start(speller(delay=60)).stream(Letters("ab"))

        async def read() -> str:
            return await anext(pieces)

        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="being read by another task"):
            await anext(pieces)
        task.cancel()
        await asyncio.wait([task])


async def test_a_stream_from_a_dead_agent_is_refused() -> None:
    async with team() as office:
        ref = office.start(speller())
        await ref.stop()
        with pytest.raises(MailboxClosed):
            await anext(ref.stream(Letters("a")))


async def test_three_agents_pass_a_stream_on() -> None:
    @agent
    async def passer(inbox: Inbox[Letters], behind: list) -> None:  # type: ignore[type-arg]
        async for message in inbox:
            async for piece in behind[0].stream(message.body):
                if not await message.send(piece.upper()):
                    break

    async with team() as office:
        last = office.start(speller())
        middle = office.start(passer([last]))
        first = office.start(passer([middle]))
        assert [letter async for letter in first.stream(Letters("soup"))] == ["S", "O", "U", "P"]
