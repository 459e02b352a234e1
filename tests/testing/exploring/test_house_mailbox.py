"""Our own mailboxes, in every order: what was sent is handled once, in its sender's order, or said not to be."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from linecook import Inbox, Ok, Ref, agent, team
from linecook.agents.team import Team
from linecook.errors import MailboxClosed, Refused
from linecook.testing import outside
from tests.testing.exploring.house import Kitchen, in_every_order


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="linecook")


@agent
async def cook(inbox: Inbox[str], kitchen: Kitchen) -> None:
    async for message in inbox:
        await kitchen.cook(message.body)


@agent
async def quick_cook(inbox: Inbox[str], kitchen: Kitchen, opens: "asyncio.Event | None" = None) -> None:
    """Takes all that waits in one step, once there is somebody to let him."""
    if opens is not None:
        await opens.wait()
    async for message in inbox:
        kitchen.served.append(message.body)


class Guest:
    """Sends one dish after the other, each at some moment, and writes down what became of it."""

    def __init__(self, ref: Ref[str], *dishes: str) -> None:
        self._ref = ref
        self._dishes = dishes
        self.sent: list[str] = []
        self.refused: list[str] = []

    async def send(self) -> None:
        for dish in self._dishes:
            await outside("a guest")
            try:
                await self._ref.tell(dish)
            except (MailboxClosed, Refused, asyncio.CancelledError) as error:
                self.refused.append(dish)
                if isinstance(error, asyncio.CancelledError):
                    raise
            else:
                self.sent.append(dish)

    def check(self, team: Team, kitchen: Kitchen) -> None:
        """See that each dish has one end, and that those served came in order."""
        letters = [letter.body for letter in team.dead_letters]
        assert kitchen.is_quiet(), (kitchen.at_work, kitchen.crowded)
        for dish in self.sent:
            assert kitchen.served.count(dish) + letters.count(dish) == 1, (dish, kitchen.served, letters)
        for dish in self.refused:
            assert dish not in kitchen.served
            assert dish not in letters
        mine = [dish for dish in kitchen.served if dish in self._dishes]
        assert mine == sorted(mine)


async def two_send() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen))
        ann, bob = Guest(ref, "a1", "a2"), Guest(ref, "b1")
        await asyncio.gather(ann.send(), bob.send())
    ann.check(t, kitchen)
    bob.check(t, kitchen)
    assert len(ann.sent) + len(bob.sent) == 3


async def two_send_and_a_third_stops_it() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen))
        ann, bob = Guest(ref, "a1"), Guest(ref, "b1")

        async def stop() -> None:
            await outside("the stop")
            await ref.stop(grace=1)
            assert ref.statistics()["state"] == "ended"

        await asyncio.gather(ann.send(), bob.send(), stop())
        assert not t.agents
    ann.check(t, kitchen)
    bob.check(t, kitchen)


async def senders_wait_for_room() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen), capacity=1)
        await ref.tell("first")
        ann, bob = Guest(ref, "a1"), Guest(ref, "b1")
        await asyncio.gather(ann.send(), bob.send())
    ann.check(t, kitchen)
    bob.check(t, kitchen)


async def who_waits_for_room_is_cancelled() -> None:
    kitchen = Kitchen()
    async with team() as t:
        opens = asyncio.Event()
        ref = t.start(quick_cook(kitchen, opens), capacity=1)
        await ref.tell("first")
        ann, bob = Guest(ref, "a1"), Guest(ref, "b1")
        tasks = [asyncio.create_task(ann.send()), asyncio.create_task(bob.send())]
        opened = asyncio.create_task(open_sometime(opens))
        await outside("the cancel")
        was_taken = "a1" in kitchen.served
        tasks[0].cancel()
        await asyncio.wait([*tasks, opened])
        await ref.stop(grace=60)
        assert ref.statistics()["waiting"] == ref.statistics()["waiting_for_room"] == 0
    if not was_taken:  # else it may have been in the very turn in which he was cancelled
        ann.check(t, kitchen)
    bob.check(t, kitchen)
    assert bob.sent == ["b1"]


async def open_sometime(opens: asyncio.Event) -> None:
    await outside("the opening")
    opens.set()


async def a_full_mailbox_refuses() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen), capacity=1, when_full="refuse")
        ann, bob = Guest(ref, "a1", "a2"), Guest(ref, "b1")
        await asyncio.gather(ann.send(), bob.send())
    ann.check(t, kitchen)
    bob.check(t, kitchen)
    assert all(letter.why == "the agent failed on it" for letter in t.dead_letters) or not ref.is_alive


async def a_full_mailbox_drops_its_oldest() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen), capacity=1, when_full="drop_oldest")
        ann, bob = Guest(ref, "a1", "a2"), Guest(ref, "b1")
        await asyncio.gather(ann.send(), bob.send())
    ann.check(t, kitchen)
    bob.check(t, kitchen)
    assert not ann.refused
    assert not bob.refused


async def stopped_while_senders_wait_for_room() -> None:
    kitchen = Kitchen(most=1)
    async with team() as t:
        ref = t.start(cook(kitchen), capacity=1)
        await ref.tell("first")
        await ref.tell("second")
        ann = Guest(ref, "a1")
        sending = asyncio.create_task(ann.send())
        await outside("the stop")
        await ref.stop(grace=60)
        await sending
    ann.check(t, kitchen)


async def several_are_taken_at_once() -> None:
    kitchen, sizes = Kitchen(), list[int]()

    @agent
    async def batch_cook(inbox: Inbox[str]) -> None:
        while True:
            batch = await inbox.receive_many(2, within=1)
            sizes.append(len(batch))
            await outside(batch)
            kitchen.served += [message.body for message in batch]

    async with team() as t:
        ref = t.start(batch_cook())
        ann, bob = Guest(ref, "a1"), Guest(ref, "b1")
        await asyncio.gather(ann.send(), bob.send())
    ann.check(t, kitchen)
    bob.check(t, kitchen)
    assert all(1 <= size <= 2 for size in sizes)


async def the_agent_is_cancelled_by_somebody() -> None:
    kitchen = Kitchen(most=1)
    tasks = list[Any]()

    @agent
    async def watched_cook(inbox: Inbox[str]) -> None:
        tasks.append(asyncio.current_task())
        async for message in inbox:
            await kitchen.cook(message.body)

    async with team() as t:
        ref = t.start(watched_cook())
        ann, bob = Guest(ref, "a1"), Guest(ref, "b1")

        async def cancel() -> None:
            await outside("the cancel")
            if tasks:
                tasks[0].cancel()

        await asyncio.gather(ann.send(), bob.send(), cancel())
    ann.check(t, kitchen)
    bob.check(t, kitchen)
    assert len(t.dead_letters) <= 1 or ref.statistics()["state"] == "ended"


PROGRAMS = [
    two_send, two_send_and_a_third_stops_it, senders_wait_for_room, who_waits_for_room_is_cancelled,
    a_full_mailbox_refuses, a_full_mailbox_drops_its_oldest, stopped_while_senders_wait_for_room,
    several_are_taken_at_once, the_agent_is_cancelled_by_somebody,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(170)  # some thousand schedules each, on a machine that may be busy
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_mailbox_keeps_its_word_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program, seconds=240)


def test_an_idle_agent_that_is_stopped_ends_by_itself() -> None:
    async def main() -> None:
        kitchen = Kitchen(most=1)
        async with team() as t:
            ref = t.start(cook(kitchen))
            await ref.tell("a")
            await outside("the stop")
            was_idle = ref.statistics()["state"] == "waiting"
            began = asyncio.get_running_loop().time()
            outcome = await ref.stop(grace=60)
            if was_idle:
                assert isinstance(outcome, Ok)
                assert asyncio.get_running_loop().time() - began < 1

    in_every_order(main, overtakings=0)  # with one, its grace may be over at once
