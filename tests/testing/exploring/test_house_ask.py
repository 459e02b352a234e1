"""Our own questions, in every order: each gets its own answer or is told why not, and leaves nothing behind."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from linecook import Ask, Inbox, Ref, agent, remaining, scope, team
from linecook.errors import AgentFailed, MailboxClosed, TimedOutError
from linecook.testing import outside
from tests.testing.exploring.house import Kitchen, cancelled_sometime, in_every_order


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="linecook")


@dataclass(frozen=True, slots=True)
class Order(Ask[str]):
    dish: str


@agent
async def cook(inbox: Inbox[Order], kitchen: Kitchen, heard: list[str] | None = None) -> None:
    """Cooks one order after the other, and notes which answers somebody waited for."""
    async for message in inbox:
        dish = await kitchen.cook(message.body.dish)
        if message.reply(dish) and heard is not None:
            heard.append(dish)


async def order(ref: Ref[Order], dish: str, timeout: float | None = None, *, now: bool = False) -> str:
    """Ask at some moment, or now; hold that an answer fits this question; return it, or why there is none."""
    if not now:
        await outside("a guest")
    try:
        answer = await ref.ask(Order(dish), timeout=timeout)
    except (AgentFailed, MailboxClosed, TimedOutError) as error:
        return type(error).__name__
    assert answer == dish
    return answer


def assert_nothing_left(ref: Ref[Any]) -> None:
    figures = ref.statistics()
    assert (figures["waiting"], figures["waiting_for_room"], figures["deferred"]) == (0, 0, 0), figures


async def two_ask() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen))
        assert await asyncio.gather(order(ref, "a"), order(ref, "b")) == ["a", "b"]
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


async def a_late_reply() -> None:
    kitchen, heard = Kitchen(most=1), list[str]()
    async with team() as t:
        ref = t.start(cook(kitchen, heard))
        ends = [await order(ref, "a", timeout=1), await order(ref, "b", timeout=1), await order(ref, "c")]
        assert ends[0] in ("a", "TimedOutError")
        assert ends[1] in ("b", "TimedOutError")
        assert ends[2] == "c"
        assert heard == [end for end in ends if end != "TimedOutError"]
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


async def late_replies_to_two() -> None:
    kitchen, heard = Kitchen(most=1), list[str]()
    async with team() as t:
        ref = t.start(cook(kitchen, heard))
        ends = await asyncio.gather(order(ref, "a", timeout=1), order(ref, "b"))
        assert ends[0] in ("a", "TimedOutError")
        assert ends[1] == "b"
        assert sorted(heard) == sorted(end for end in ends if end != "TimedOutError")
        assert ref.statistics()["late"] <= 1
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


async def an_asker_is_cancelled() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen))
        ann, bob = asyncio.create_task(order(ref, "a")), asyncio.create_task(order(ref, "b"))
        asked = await cancelled_sometime(ann)
        assert ann.cancelled() == asked
        assert await bob == "b"
        assert await order(ref, "c") == "c"
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


async def an_asker_who_waits_for_room_is_cancelled() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen), capacity=1)
        tasks = [asyncio.create_task(ref.ask(Order(dish))) for dish in "abc"]
        await outside("the cancel")
        was_begun = "c" in kitchen.begun
        tasks[2].cancel()
        await asyncio.wait(tasks)
        assert [task.result() for task in tasks[:2]] == ["a", "b"]
        assert was_begun or tasks[2].cancelled()
        assert was_begun or "c" not in kitchen.begun
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


async def an_asker_who_waits_for_room_is_late() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen), capacity=1)
        ends = await asyncio.gather(order(ref, "a", now=True), order(ref, "b", timeout=1), order(ref, "c", now=True))
        assert (ends[0], ends[2]) == ("a", "c")
        assert ends[1] in ("b", "TimedOutError")
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


async def a_handler_fails() -> None:
    kitchen = Kitchen(most=1)

    @agent
    async def clumsy(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            answer = await kitchen.cook(message.body.dish)
            if answer == "burnt":
                raise ValueError(answer)
            message.reply(answer)

    async with team() as t:
        ref = t.start(clumsy())
        ends = await asyncio.gather(order(ref, "a"), order(ref, "burnt"), order(ref, "b"))
        assert ends == ["a", "AgentFailed", "b"]
        assert [letter.body for letter in t.dead_letters] == [Order("burnt")]
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


async def a_handler_fails_when_its_asker_may_have_left() -> None:
    kitchen = Kitchen(most=1)

    @agent
    async def clumsy(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            await kitchen.burn(message.body.dish)

    async with team() as t:
        ref = t.start(clumsy())
        ends = await asyncio.gather(order(ref, "a", timeout=1), order(ref, "b"))
        assert ends[0] in ("AgentFailed", "TimedOutError")
        assert ends[1] == "AgentFailed"
        assert_nothing_left(ref)
        assert ref.is_alive
    assert kitchen.is_quiet()


async def it_is_stopped_meanwhile() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen))
        asking = asyncio.gather(order(ref, "a"), order(ref, "b"))
        await outside("the stop")
        await ref.stop(grace=1)
        assert_nothing_left(ref)
        for dish, end in zip("ab", await asking, strict=True):
            assert end in (dish, "AgentFailed", "MailboxClosed")
    assert kitchen.is_quiet()


async def answers_come_later() -> None:
    kitchen = Kitchen(most=2)

    @agent
    async def head_cook(inbox: Inbox[Order]) -> None:
        async with scope() as cooks:

            async def see_to(message: Any) -> None:
                message.reply(await kitchen.cook(message.body.dish))

            async for message in inbox:
                message.defer()
                cooks.start(see_to(message))

    async with team() as t:
        ref = t.start(head_cook())
        ann, bob = (asyncio.create_task(order(ref, dish, now=True)) for dish in "ab")
        asked = await cancelled_sometime(ann)
        assert ann.cancelled() == asked
        assert await bob == "b"
        assert ref.statistics()["deferred"] == 0
    assert kitchen.is_quiet()


async def an_answer_that_comes_later_is_late() -> None:
    @agent
    async def forgetful(inbox: Inbox[Order]) -> None:
        first = await inbox.receive()
        first.defer()
        async for second in inbox:
            second.reply(second.body.dish)
            await outside("it comes to mind")
            first.reply(first.body.dish)

    async with team() as t:
        ref = t.start(forgetful())
        ends = await asyncio.gather(order(ref, "a", timeout=1, now=True), order(ref, "b", timeout=1))
        assert set(ends) <= {"a", "b", "TimedOutError"}
        assert ref.statistics()["deferred"] == 0


async def agents_ask_each_other() -> None:
    kitchen = Kitchen(most=2)
    refs = list[Ref[Order]]()

    @agent
    async def waiter(inbox: Inbox[Order], other: int) -> None:
        async for message in inbox:
            dish = message.body.dish
            if dish.startswith("passed"):
                message.reply(await kitchen.cook(dish))
                continue
            try:
                message.reply(
                    (await refs[other].ask(Order(f"passed {dish}"), timeout=remaining())).removeprefix("passed ")
                )
            except TimedOutError:
                message.reply(dish)

    async with team() as t:
        refs += [t.start(waiter(1)), t.start(waiter(0))]
        ends = await asyncio.gather(order(refs[0], "a", timeout=1, now=True), order(refs[1], "b", timeout=2))
        assert ends[0] in ("a", "TimedOutError")
        assert ends[1] in ("b", "TimedOutError")
        for ref in refs:
            assert_nothing_left(ref)
    assert kitchen.is_quiet()


@agent
async def teller(inbox: Inbox[Order], kitchen: Kitchen, told: list[Any]) -> None:
    """Answers in pieces, and notes which were wanted."""
    async for message in inbox:
        for number in "12":
            piece = await kitchen.cook(message.body.dish + number)
            told.append((piece, await message.send(piece)))


async def an_answer_in_pieces() -> None:
    kitchen, told = Kitchen(most=1), list[Any]()
    async with team() as t:
        ref = t.start(teller(kitchen, told))

        async def read(dish: str) -> list[str]:
            return [piece async for piece in ref.stream(Order(dish))]

        assert await asyncio.gather(read("a"), read("b")) == [["a1", "a2"], ["b1", "b2"]]
        assert_nothing_left(ref)
    assert all(wanted for _, wanted in told)
    assert kitchen.is_quiet()


async def the_reader_leaves() -> None:
    kitchen, told = Kitchen(most=1), list[Any]()
    async with team() as t:
        ref = t.start(teller(kitchen, told))
        read = list[str]()

        async def read_some() -> None:
            async with ref.stream(Order("a"), timeout=5) as pieces:
                async for piece in pieces:
                    read.append(piece)

        task = asyncio.create_task(read_some())
        asked = await cancelled_sometime(task)
        assert task.cancelled() or not asked or isinstance(task.exception(), TimedOutError)
        assert read == ["a1", "a2"][: len(read)]
        assert await order_pieces(ref, "b") == ["b1", "b2"]
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


async def order_pieces(ref: Ref[Order], dish: str) -> list[str]:
    return [piece async for piece in ref.stream(Order(dish))]


async def the_reader_is_slow() -> None:
    """More pieces than wait to be read: the agent waits, and goes on, or learns that nobody reads."""
    ended = list[bool]()

    @agent
    async def chatty(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            ended.append(False)
            for number in range(18):
                if not await message.send(str(number)):
                    break
            ended[-1] = True

    async with team() as t:
        ref = t.start(chatty())

        async def read_some() -> None:
            pieces = ref.stream(Order("a"))
            async with pieces:
                first = await anext(pieces)
                await outside("a slow reader")
                assert [first, await anext(pieces), await anext(pieces)] == ["0", "1", "2"]
                await outside("a slower reader")

        task = asyncio.create_task(read_some())
        asked = await cancelled_sometime(task)
        assert task.cancelled() == asked
        assert await order_pieces(ref, "b") == [str(number) for number in range(18)]
        assert ended == [True] * len(ended)
        assert_nothing_left(ref)


async def the_agent_fails_in_pieces() -> None:
    kitchen = Kitchen(most=1)

    @agent
    async def clumsy(inbox: Inbox[Order]) -> None:
        async for message in inbox:
            await message.send(await kitchen.cook(message.body.dish))
            await kitchen.burn("second piece")

    async with team() as t:
        ref = t.start(clumsy())
        for dish in "ab":
            read = list[str]()
            with pytest.raises(AgentFailed):
                async for piece in ref.stream(Order(dish)):
                    read.append(piece)
            assert read == [dish]
            await outside()
        assert_nothing_left(ref)
    assert kitchen.is_quiet()


PROGRAMS = [
    two_ask, a_late_reply, late_replies_to_two, an_asker_is_cancelled, an_asker_who_waits_for_room_is_cancelled,
    an_asker_who_waits_for_room_is_late, a_handler_fails, a_handler_fails_when_its_asker_may_have_left,
    it_is_stopped_meanwhile, answers_come_later, an_answer_that_comes_later_is_late, agents_ask_each_other,
    an_answer_in_pieces, the_reader_leaves, the_reader_is_slow, the_agent_fails_in_pieces,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(170)  # some thousand schedules each, on a machine that may be busy
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_question_keeps_its_word_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program, seconds=240)
