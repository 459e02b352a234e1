"""docs/decision-guide.md, "State between tasks": Lock, Semaphore, Queue."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from linecook import Ask, Inbox, Shared, agent, team, tool, transaction
from linecook.errors import AgentFailed, MailboxClosed, NestedTool

NeverEnds = Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, bool]]


@pytest.mark.parametrize("rounds", [1, 10, 100])
async def test_the_unlocked_counter_loses_exactly_half_every_time(rounds: int) -> None:
    counter = 0

    async def count() -> None:
        nonlocal counter
        for _ in range(rounds):
            before = counter
            await asyncio.sleep(0)  # everybody else reads the same number here
            counter = before + 1

    await asyncio.gather(count(), count())
    assert counter == rounds  # of 2 * rounds: never sometimes, always exactly half

    # linecook: one step, and nothing in between
    cell = Shared(0)

    async def count_in_one_step() -> None:
        for _ in range(rounds):
            cell.update(lambda number: number + 1)
            await asyncio.sleep(0)

    await asyncio.gather(count_in_one_step(), count_in_one_step())
    assert cell.value == 2 * rounds


async def test_a_lock_that_is_forgotten_once_protects_nothing() -> None:
    balance, lock = 100, asyncio.Lock()

    async def withdraw(amount: int) -> None:
        nonlocal balance
        async with lock:
            before = balance
            await asyncio.sleep(0)
            balance = before - amount

    async def withdraw_elsewhere(amount: int) -> None:
        nonlocal balance
        before = balance
        await asyncio.sleep(0)
        balance = before - amount

    await asyncio.gather(withdraw(10), withdraw_elsewhere(20))
    assert balance in (80, 90)  # one of the two is lost, in silence

    # linecook: whoever forgets what is agreed is told, and nothing is lost
    shared = Shared(100, lost_update="raise")

    async def take(amount: int) -> None:
        async with shared.edit() as draft:
            await asyncio.sleep(0)
            draft.value -= amount

    async def take_elsewhere(amount: int) -> None:
        before = shared.value
        await asyncio.sleep(0)
        shared.value = before - amount

    ended = await asyncio.gather(take(10), take_elsewhere(20), return_exceptions=True)
    refused = [error for error in ended if error is not None]
    assert [type(error).__name__ for error in refused] in (["Conflict"], ["LostUpdate"])
    assert shared.value in (80, 90)


async def test_a_lock_taken_twice_by_one_task_waits_for_itself(never_ends: NeverEnds) -> None:
    lock = asyncio.Lock()

    async def outer() -> None:
        async with lock:
            await inner()

    async def inner() -> None:
        async with lock:
            pass

    assert await never_ends(outer())

    # linecook: a transaction inside one is part of it
    cell = Shared(0)

    def once() -> None:
        cell.value += 1

    def twice() -> None:
        once()
        transaction(once)

    transaction(twice)
    assert cell.value == 2


async def test_two_locks_in_different_order_wait_for_each_other(never_ends: NeverEnds) -> None:
    pan, knife = asyncio.Lock(), asyncio.Lock()

    async def hold(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    async def both() -> None:
        await asyncio.gather(hold(pan, knife), hold(knife, pan))

    assert await never_ends(both())

    # linecook: nothing is held, whatever the order
    plates, forks = Shared(2), Shared(2)

    def lay(first: Shared[int], second: Shared[int]) -> None:
        first.value -= 1
        second.value -= 1

    async def lay_later(first: Shared[int], second: Shared[int]) -> None:
        await asyncio.sleep(0)
        transaction(lambda: lay(first, second))

    await asyncio.gather(lay_later(plates, forks), lay_later(forks, plates))
    assert (plates.value, forks.value) == (0, 0)


async def test_nested_places_of_one_semaphore_wait_for_each_other(never_ends: NeverEnds) -> None:
    places = asyncio.Semaphore(2)

    async def research(depth: int) -> None:
        async with places:
            await asyncio.sleep(0)
            if depth:
                await research(depth - 1)  # waits for a place while it holds one

    async def two() -> None:
        await asyncio.gather(research(1), research(1))

    assert await never_ends(two())

    # linecook: limits sit on leaves, which wait for nobody ...
    @tool(limit=2)
    async def look_up() -> str:
        await asyncio.sleep(0)
        return "found"

    @agent
    async def explore(depth: int) -> str:
        return await explore(depth - 1) if depth else await look_up()

    assert await asyncio.gather(*(explore(5) for _ in range(20))) == ["found"] * 20

    # ... and a leaf that would wait is refused, with the cure
    @tool(limit=2)
    async def nested() -> str:
        return await look_up()

    with pytest.raises(NestedTool, match="agent"):
        await nested()


async def test_a_queue_has_no_bound_unless_told() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def produce() -> None:
        for n in range(10_000):
            await queue.put(n)  # never waits: nothing here slows a fast producer down

    await produce()
    assert queue.qsize() == 10_000

    # linecook: a mailbox has a bound, and who sends waits for room
    done: list[int] = []

    @agent
    async def slow(inbox: Inbox[int]) -> None:
        async for message in inbox:
            await asyncio.sleep(0)
            done.append(message.body)

    async with team() as office:
        ref = office.start(slow(), capacity=100)  # 1,000 unless told
        for n in range(1000):
            await ref.tell(n)  # waits for room
            assert ref.statistics()["waiting"] <= 100
    assert done == [*range(1000)]


@dataclass(frozen=True)
class Word(Ask[int]):
    word: str


async def test_a_queue_whose_consumer_died_waits_for_ever(never_ends: NeverEnds) -> None:
    queue: asyncio.Queue[str] = asyncio.Queue(maxsize=2)

    async def consume() -> None:
        int(await queue.get())  # fails, and takes its task_done along

    consumer = asyncio.create_task(consume())
    await queue.put("two")
    assert await never_ends(queue.join())
    assert isinstance(consumer.exception(), ValueError)  # the reason was there, and nobody asked

    # linecook: who asked is told, the next is served, and one that has ended refuses
    @agent
    async def consumer_agent(inbox: Inbox[Word]) -> None:
        async for message in inbox:
            message.reply(int(message.body.word))

    async with team() as office:
        ref = office.start(consumer_agent())
        with pytest.raises(AgentFailed, match="invalid literal for int"):  # who asked is told why
            await ref.ask(Word("two"))
        assert await ref.ask(Word("2")) == 2  # and the next one is served by a new start
        await ref.stop()
        with pytest.raises(MailboxClosed, match="it was stopped"):
            await ref.tell(Word("3"))


async def test_a_queue_does_not_say_that_it_is_over(never_ends: NeverEnds) -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()
    await queue.put("the last one")
    assert await queue.get() == "the last one"
    assert await never_ends(queue.get())  # until 3.13 there is no shutdown(); from then on somebody must call it

    # linecook: leaving the block says that it is over; what was sent is handled, and the loop over the inbox ends
    heard: list[str] = []

    @agent
    async def listener(inbox: Inbox[str]) -> None:
        async for message in inbox:
            heard.append(message.body)  # noqa: PERF401 - one at a time
        heard.append("over")

    async with team() as office:
        await office.start(listener()).tell("the last one")
    assert heard == ["the last one", "over"]
