"""Whatever senders, askers and agents do, in whatever order: every message has one end, and the counts are right."""

import asyncio
import random
from collections import Counter
from typing import Any, cast

import pytest

from linecook import Inbox, Ref, agent, move_on_after, team
from linecook.agents.message import QUEUED, WAITING
from linecook.errors import AgentFailed, LinecookError, MailboxClosed, NoReply, Refused, TimedOutError
from linecook.testing import VirtualClock


def assert_counted(ref: Ref[Any]) -> None:
    """Hold the counts of the mailbox to what is in it."""
    box = ref._child
    queued = given_up = 0
    message, last = box._head, None
    while message is not None:
        queued += message._state == QUEUED
        given_up += message._state != QUEUED
        message, last = message._next, message
    assert (box.waiting, box._given_up, box._tail) == (queued, given_up, last), (
        box.waiting,
        box._given_up,
        queued,
        given_up,
        box._tail is last,
    )
    assert given_up <= max(64, queued)
    outside = [] if box._rare is None or box._rare.room is None else box._rare.room
    assert box.waiting_for_room == sum(message._state == WAITING for message in outside)
    if box.terms.deliveries == 1:  # else what is handed out again goes in as well
        assert queued <= box.terms.capacity
    if box.closed is None:
        assert box.most == (0 if box.waiting_for_room else box.most)


class Chaos:
    """Agents and senders that do anything at any moment, and a record of what came of every message."""

    def __init__(self, seed: int, when_full: Any, deliveries: int) -> None:
        self.dice = random.Random(seed)
        self.when_full = when_full
        self.deliveries = deliveries
        self.handled: Counter[int] = Counter()
        self.told: set[int] = set()
        self.ends: Counter[str] = Counter()

    def agent(self) -> Any:
        dice = self.dice

        @agent
        async def anything(inbox: Inbox[Any]) -> None:
            later: list[Any] = []
            while True:
                batch = (
                    await inbox.receive_many(dice.randrange(1, 4)) if dice.random() < 0.2 else [await inbox.receive()]
                )
                for message in batch:
                    await asyncio.sleep(dice.choice([0, 0, 0.01, 0.2]))
                    self.handled[message.body] += 1
                    match dice.randrange(8):
                        case 0:
                            raise ValueError(message.body)
                        case 1:
                            message.fail(LookupError(message.body))
                        case 2:
                            pass
                        case 3:
                            message.defer()
                            later.append(message)
                        case 4 if later:
                            later.pop().reply(-1)
                        case _:
                            message.reply(message.body)

        return anything()

    async def send(self, ref: Ref[Any], number: int) -> None:
        dice = self.dice
        asked: Any = number
        try:
            match dice.randrange(4):
                case 0:
                    self.told.add(number)
                    ref.tell_nowait(number)
                    end = "told"
                case 1:
                    self.told.add(number)
                    with move_on_after(dice.choice([0, 0.05, 10])) as block:
                        await ref.tell(number)
                    end = "gave up telling" if block.cancelled_caught else "told"
                case 2:
                    with move_on_after(dice.choice([0, 0.05, 10])) as block:
                        assert await ref.ask(asked) in (number, -1)
                    end = "left" if block.cancelled_caught else "answered"
                case _:
                    assert await ref.ask(asked, timeout=dice.choice([0, 0.05, 10])) in (number, -1)
                    end = "answered"
        except (AgentFailed, MailboxClosed, NoReply, Refused, TimedOutError, LookupError) as error:
            end = type(error).__name__
        self.ends[end] += 1

    async def play(self) -> None:
        async with team(intensity=None, grace=2) as office:
            refs = [
                office.start(self.agent(), capacity=3, when_full=self.when_full, deliveries=self.deliveries)
                for _ in range(3)
            ]
            tasks: list[asyncio.Task[None]] = []
            for number in range(300):
                ref = self.dice.choice(refs)
                tasks.append(asyncio.create_task(self.send(ref, number)))
                if self.dice.random() < 0.5:
                    await asyncio.sleep(self.dice.choice([0, 0.01, 0.1]))
                for each in refs:
                    assert_counted(each)
                if self.dice.random() < 0.05:
                    self.dice.choice(tasks).cancel()
            await asyncio.sleep(1)
            await refs[0].stop(grace=self.dice.choice([0, 1]))
        await asyncio.wait(tasks)
        for each in refs:
            assert_counted(each)
            assert (each.statistics()["waiting"], each.statistics()["deferred"]) == (0, 0)
        assert sum(self.ends.values()) + sum(task.cancelled() for task in tasks) == 300
        assert max(self.handled.values()) <= self.deliveries
        assert [task for task in tasks if not task.cancelled() and task.exception() is not None] == []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("when_full", ["wait", "refuse", "drop_oldest"])
async def test_every_message_has_one_end_whatever_happens(clock: VirtualClock, seed: int, when_full: str) -> None:
    chaos = Chaos(seed, when_full, deliveries=1 + seed % 3)
    await chaos.play()
    assert chaos.ends["answered"] > 10  # else nothing was tried


async def test_errors_name_the_agent_and_the_message() -> None:
    @agent
    async def clerk(inbox: Inbox[str]) -> None: ...

    async with team(name="office") as office:
        ref = office.start(clerk())
        await ref.wait_closed()
        with pytest.raises(
            LinecookError, match=r"office/clerk:0 takes no messages: it has ended\. 'x' was not handled"
        ):
            await ref.tell("x")


async def test_an_answer_to_a_question_that_waits_again_takes_it_out_of_the_mailbox() -> None:
    again, held = asyncio.Event(), list[Any]()

    @agent
    async def clerk(inbox: Inbox[Any]) -> None:
        if held:
            await again.wait()
        async for message in inbox:
            if not held:
                held.append(message)
                raise ValueError("a crash with a question at hand")
            message.reply(f"{message.body} from the second start")

    async with team() as office:
        ref = office.start(clerk(), deliveries=2)
        asked = asyncio.create_task(ref.ask(cast(Any, "first")))
        while ref.statistics()["starts"] < 2:
            await asyncio.sleep(0)
        assert ref.statistics()["waiting"] == 1
        assert held[0].reply("from what the first start has left behind")
        assert await asked == "from what the first start has left behind"
        assert_counted(ref)
        assert ref.statistics()["waiting"] == 0
        again.set()
        assert await ref.ask(cast(Any, "second")) == "second from the second start"
        assert ref.statistics()["taken"] == 2
