"""An agent takes messages one at a time, or several at once, for as long as it lives."""

import asyncio
from typing import Any

import pytest

from linecook import Failed, Inbox, Ok, agent, remaining, scope, settle, team
from linecook.errors import AgentFailed, MailboxClosed, TimedOutError
from linecook.testing import VirtualClock

from .menu import Dish, Order

seen: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


async def test_receive_takes_one_and_waits_for_it(clock: VirtualClock) -> None:
    @agent
    async def clerk(inbox: Inbox[str]) -> None:
        seen.append(len(inbox))
        seen.append((await inbox.receive()).body)
        with pytest.raises(TimedOutError):
            await inbox.receive(timeout=2)
        seen.append((await inbox.receive(timeout=60)).body)
        await inbox.receive()

    async with team() as office:
        ref = office.start(clerk())
        await ref.tell("a")
        await asyncio.sleep(3)
        await ref.tell("b")
        await asyncio.sleep(1)
    assert seen == [1, "a", "b"]
    assert isinstance(ref._child.outcome, Failed)  # it let MailboxClosed through, as it should
    assert isinstance(ref._child.outcome.error, MailboxClosed)
    assert ref.statistics()["starts"] == 1


async def test_receive_with_a_time_out_still_tells_the_askers_deadline(clock: VirtualClock) -> None:
    @agent
    async def clerk(inbox: Inbox[Order]) -> None:
        message = await inbox.receive(timeout=60)
        seen.append(remaining())
        message.reply(Dish(""))

    async with team() as office:
        await office.start(clerk()).ask(Order(""), timeout=5)
    assert seen == [pytest.approx(5, abs=0.1)]


@agent
async def batcher(inbox: Inbox[Order], most: int, within: float) -> None:
    while True:
        batch = await inbox.receive_many(most, within=within)
        seen.append([message.body.name for message in batch])
        for message in batch:
            if message.body.name == "fail":
                raise ValueError("fail")
            message.reply(Dish(message.body.name))


async def test_several_are_taken_at_once() -> None:
    async with team() as office:
        ref = office.start(batcher(3, 0))
        answers = await settle([ref.ask(Order(str(number))) for number in range(7)])
        assert answers.results == [Dish(str(number)) for number in range(7)]
    assert [name for batch in seen for name in batch] == [str(number) for number in range(7)]
    assert max(len(batch) for batch in seen) == 3


async def test_a_batch_waits_a_little_for_more(clock: VirtualClock) -> None:
    async with team() as office:
        ref = office.start(batcher(10, 2))
        async with scope() as s:
            for name in "abcd":
                s.start(ref.ask(Order(name)))
                await asyncio.sleep(0.9)
    assert seen == [["a", "b", "c"], ["d"]]


async def test_a_batch_ends_when_the_agent_is_stopped(clock: VirtualClock) -> None:
    async with team() as office:
        ref = office.start(batcher(10, 60))
        await ref.tell(Order("a"))
        await asyncio.sleep(1)
    assert seen == [["a"]]
    assert clock.time() < 2


async def test_a_crash_in_a_batch_loses_what_was_not_answered_and_no_more() -> None:
    async with team() as office:
        ref = office.start(batcher(4, 0))
        names = ["a", "fail", "b", "c", "d"]
        answers = await settle([ref.ask(Order(name)) for name in names])
        assert [name for name, answer in zip(names, answers, strict=True) if isinstance(answer, Ok)] == ["a", "d"] or [
            name for name, answer in zip(names, answers, strict=True) if isinstance(answer, Ok)
        ] == ["a", "c", "d"]
        assert all(isinstance(failed.error, AgentFailed) for failed in answers.failures)


async def test_an_inbox_has_one_reader_at_a_time() -> None:
    @agent
    async def clerk(inbox: Inbox[str]) -> None:
        await asyncio.gather(inbox.receive(), inbox.receive())

    async with team() as office:
        outcome = await office.start(clerk(), restart="temporary").wait_closed()
    assert "one reader at a time" in str(outcome.error)  # type: ignore[union-attr]


async def test_bad_figures_are_named() -> None:
    @agent
    async def clerk(inbox: Inbox[str]) -> None:
        for wrong in (
            lambda: inbox.receive(timeout=-1),
            lambda: inbox.receive_many(0),
            lambda: inbox.receive_many(within=-1),
        ):
            with pytest.raises(ValueError, match=r"of Inbox\.receive"):
                await wrong()
        seen.append("done")

    async with team() as office:
        await office.start(clerk()).wait_closed()
    assert seen == ["done"]


async def test_repr_tells_whose_it_is() -> None:
    @agent
    async def clerk(inbox: Inbox[str]) -> None:
        seen.append(repr(inbox))
        seen.append(repr(await inbox.receive()))

    async with team(name="office") as office:
        await office.start(clerk()).tell("a")
    assert seen == ["<Inbox of office/clerk:0, 1 waiting>", "<Message 'a' to office/clerk:0>"]
