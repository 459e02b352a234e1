"""Who is stuck, and why: the programs of the field's reports, each told in words."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from linecook import Ask, Inbox, Ref, Runtime, Shared, agent, fail_after, scope, settle, team, tool
from linecook.agents.message import Message
from linecook.observe import Diagnosis, diagnose
from tests.aside import aside


@contextlib.asynccontextmanager
async def under_way(*calls: Coroutine[Any, Any, Any], turns: float = 0.02) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Tasks that have come to where they wait, and are cancelled afterwards."""
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(turns)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def look() -> Diagnosis:
    """A look from a thread, while the test itself only waits."""
    return await aside(diagnose, asyncio.get_running_loop())


async def takes(first: asyncio.Lock, second: asyncio.Lock) -> None:
    async with first:
        await asyncio.sleep(0)
        async with second:
            pass


async def test_two_tasks_that_take_two_locks_in_opposite_orders() -> None:
    a, b = asyncio.Lock(), asyncio.Lock()
    async with under_way(takes(a, b), takes(b, a)):
        found = await look()
    (deadlock,) = found.deadlocks
    assert found.is_stuck
    assert len(deadlock.circle) == 2
    first, second = deadlock.circle
    assert (first.what, second.what) == ("an asyncio.Lock", "an asyncio.Lock")
    assert first.place.endswith("in takes: async with second:")
    assert first.holders[0].who == second.who
    assert first.holders[0].place.endswith("in takes: async with first:")
    assert deadlock.ends_in is None
    assert "same order everywhere" in deadlock.cure
    assert "these 2 tasks wait for each other" in str(found)
    assert "nothing ends this" in str(found)


async def test_a_lock_taken_twice_by_one_task() -> None:
    async def recurse(lock: asyncio.Lock) -> None:
        async with lock:
            await recurse(lock)

    async with under_way(recurse(asyncio.Lock())):
        found = await look()
    (deadlock,) = found.deadlocks
    assert len(deadlock.circle) == 1
    assert "can't be taken twice" in deadlock.cure
    assert "this task waits for itself" in str(found)


# https://github.com/can1357/oh-my-pi/issues/3749, https://github.com/sinas-platform/sinas/issues/90
async def test_a_slot_held_across_a_child_that_needs_one() -> None:
    async def crew(slots: asyncio.Semaphore, depth: int) -> None:
        async with slots:
            await asyncio.sleep(0)
            if depth:
                await asyncio.create_task(crew(slots, depth - 1))

    slots = asyncio.Semaphore(2)
    async with under_way(crew(slots, 1), crew(slots, 1)):
        found = await look()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    (deadlock,) = found.deadlocks
    assert deadlock.circle[0].what == "an asyncio.Semaphore"
    assert deadlock.behind == 2
    assert "hold no semaphore across an await of another agent" in deadlock.cure


async def test_a_semaphore_with_one_holder_who_goes_on_is_no_deadlock() -> None:
    async def holds(slots: asyncio.Semaphore, inner: Coroutine[Any, Any, Any]) -> None:
        async with slots:
            await inner

    async def wants(slots: asyncio.Semaphore) -> None:
        async with slots:
            pass

    slots = asyncio.Semaphore(2)
    async with under_way(holds(slots, asyncio.sleep(20)), holds(slots, wants(slots)), wants(slots)):
        found = await look()
    assert found.deadlocks == ()
    waiting = [wait for wait in found.waits if wait.what == "an asyncio.Semaphore"]
    assert {len(wait.holders) for wait in waiting} == {2}


# https://github.com/can1357/oh-my-pi/issues/6032
async def test_two_agents_that_await_each_other_by_handles() -> None:
    handles: dict[str, Any] = {}

    @agent
    async def asks(other: str) -> None:
        await asyncio.sleep(0)
        await handles[other]

    async def desk() -> None:
        async with scope() as block:
            handles["a"] = block.start(asks("b"))
            handles["b"] = block.start(asks("a"))

    async with under_way(desk()):
        found = await look()
    (deadlock,) = found.deadlocks
    assert sorted(wait.who for wait in deadlock.circle) == ["scope/asks:0", "scope/asks:1"]
    assert {wait.what for wait in deadlock.circle} == {"a call in the background"}
    assert "given what it needs as an argument" in deadlock.cure
    assert deadlock.behind == 1


async def test_an_event_that_nobody_can_set_is_told_from_one_that_somebody_can() -> None:
    async def forgotten() -> None:
        await asyncio.Event().wait()

    async def patient() -> None:
        event = asyncio.Event()
        child = asyncio.create_task(waits(event))
        await asyncio.sleep(20)
        event.set()
        await child

    async def waits(event: asyncio.Event) -> None:
        await event.wait()

    async with under_way(forgotten(), patient()):
        found = await look()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    (lost,) = found.unwakeable
    assert lost.what == "Event.wait"
    assert lost.place.endswith("in test_an_event_that_nobody_can_set_is_told_from_one_that_somebody_can.forgotten: await asyncio.Event().wait()")  # fmt: skip  # noqa: E501
    assert "Nobody who can still run has it" in lost.why
    assert "in a finally" in lost.why
    assert [wait.what for wait in found.waits].count("Event.wait") == 1


async def test_a_queue_whose_producer_has_ended() -> None:
    async def produce(queue: asyncio.Queue[int]) -> None:
        queue.put_nowait(1)

    async def consume(queue: asyncio.Queue[int]) -> None:
        while True:
            await queue.get()

    async def pipeline() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(produce(queue))
            group.create_task(consume(queue))

    async with under_way(pipeline()):
        found = await look()
    (lost,) = found.unwakeable
    assert lost.what == "Queue.get"
    assert "end mark" in lost.why


async def test_whoever_would_wake_a_task_and_waits_for_it_himself() -> None:
    async def holder(lock: asyncio.Lock, said: asyncio.Event) -> None:
        async with lock:
            await said.wait()

    async def sayer(lock: asyncio.Lock, said: asyncio.Event) -> None:
        async with lock:
            said.set()

    async def both() -> None:
        lock, said = asyncio.Lock(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(holder(lock, said))
            group.create_task(sayer(lock, said))

    async with under_way(both()):
        found = await look()
    (deadlock,) = found.deadlocks
    assert {wait.what for wait in deadlock.circle} == {"Event.wait", "an asyncio.Lock"}
    assert found.unwakeable == ()


async def test_a_lock_that_was_never_given_back() -> None:
    async def takes_and_ends(lock: asyncio.Lock) -> None:
        await lock.acquire()

    async def careless() -> None:
        lock = asyncio.Lock()
        await asyncio.create_task(takes_and_ends(lock))
        await takes_and_ends(lock)

    async with under_way(careless()):
        found = await look()
    (lost,) = found.unwakeable
    assert "ended and never gave it back" in lost.why


async def test_a_time_out_around_a_deadlock_is_told() -> None:
    a, b = asyncio.Lock(), asyncio.Lock()

    @agent
    async def bounded(first: asyncio.Lock, second: asyncio.Lock) -> None:
        with fail_after(30):
            await takes(first, second)

    async with under_way(bounded(a, b), takes(b, a)):
        found = await look()
    (deadlock,) = found.deadlocks
    assert deadlock.ends_in == pytest.approx(30, abs=5)
    assert "Only a time-out ends this" in str(found)


async def test_a_fan_outs_own_time_out_is_told_as_well() -> None:
    lock = asyncio.Lock()

    @agent
    async def again() -> None:
        async with lock, lock:
            pass

    async def crew() -> None:
        await settle([again()], timeout=40)

    async with under_way(crew()):
        found = await look()
    assert found.deadlocks[0].ends_in == pytest.approx(40, abs=5)


async def test_who_holds_the_places_of_a_limit() -> None:
    @tool(limit=1)
    async def stove() -> None:
        await asyncio.sleep(20)

    async def cook() -> None:
        await stove()

    async with under_way(cook(), cook()):
        found = await look()
    (waiting,) = [wait for wait in found.waits if wait.what.startswith("a place")]
    assert [holder.who for holder in waiting.holders] == ["stove"]
    assert found.deadlocks == ()


async def test_a_call_that_waits_for_a_thread_is_not_stuck() -> None:
    released = threading.Event()

    @tool
    def block() -> None:
        released.wait(20)

    async with Runtime(stall=None, drain=0), under_way(block()):
        found = await look()
        released.set()
    assert not found.is_stuck
    assert "its body in the lane" in str(found)


async def test_inside_a_task_and_inside_a_callback() -> None:
    loop = asyncio.get_running_loop()
    inside = diagnose()
    assert ("at work, or ready to go on", 1) in inside.counts
    told: list[Diagnosis] = []
    loop.call_soon(lambda: told.append(diagnose()))
    await asyncio.sleep(0.01)
    assert told[0].tasks >= 1
    assert not told[0].is_stuck


def test_with_no_event_loop_at_all() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    found = diagnose(loop)
    assert (found.tasks, found.is_stuck) == (0, False)
    assert "0 tasks alive" in str(found)


@pytest.mark.filterwarnings("ignore")
def test_a_closed_loop_with_tasks_in_it() -> None:
    loop = asyncio.new_event_loop()

    async def waits() -> None:
        await asyncio.Event().wait()

    task = loop.create_task(waits())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    found = diagnose(loop)
    assert "was closed with 1 of its tasks alive" in str(found)
    assert found.unwakeable[0].what == "Event.wait"
    setattr(task, "_log_destroy_pending", False)  # noqa: B010 - unknown to checkers
    task.get_coro().close()  # type: ignore[union-attr]


def test_a_loop_with_nothing_left_to_do() -> None:
    """Everything hangs: even what a module has at hand can't be set, since nobody runs."""
    event = asyncio.Event()
    told: list[Diagnosis] = []

    async def waits() -> None:
        await event.wait()

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def ask() -> None:
            try:
                while not told or (not told[-1].notes and len(told) < 200):  # until all others have come to rest
                    time.sleep(0.02)
                    told.append(diagnose(loop))
            finally:
                loop.call_soon_threadsafe(event.set)

        threading.Thread(target=ask, daemon=True).start()
        await asyncio.create_task(waits())

    asyncio.run(main())
    found = told[-1]
    assert "nothing left to do: no timer, no socket, no signal, no thread at work" in found.notes[0]
    (lost,) = found.unwakeable
    assert lost.what == "Event.wait"
    assert "only another thread" in lost.why


@pytest.mark.slow
async def test_a_hundred_thousand_tasks_are_counted_and_few_are_told() -> None:
    event = asyncio.Event()
    tasks = [asyncio.create_task(event.wait()) for _ in range(100_000)]
    await asyncio.sleep(0)
    counts, waits, lines = await aside(_look_at_many, asyncio.get_running_loop())
    event.set()
    await asyncio.wait(tasks)
    del tasks  # a failure would show them all
    assert counts["wait for Event.wait"] == 100_000
    assert 99_999 in waits
    assert lines < 60


def _look_at_many(loop: asyncio.AbstractEventLoop) -> tuple[dict[str, int], list[int], int]:
    found = diagnose(loop)
    waits = [wait.alike for wait in (*found.waits, *found.unwakeable)]
    return dict(found.counts), waits, len(str(found).splitlines())


def test_a_senseless_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="most=0"):
        diagnose(most=0)


async def test_two_edits_that_wait_for_each_other() -> None:
    class Crossed:
        left, right = Shared(1, name="left"), Shared(2, name="right")

    async def edits(first: Shared[int], second: Shared[int]) -> None:
        async with first.edit():
            await asyncio.sleep(0)
            async with second.edit():
                pass

    async with under_way(edits(Crossed.left, Crossed.right), edits(Crossed.right, Crossed.left)):
        found = await look()
    (deadlock,) = found.deadlocks
    assert {wait.what.partition(",")[0] for wait in deadlock.circle} == {
        "the edit of Shared 'left'",
        "the edit of Shared 'right'",
    }
    assert deadlock.circle[0].holders[0].place.endswith("async with first.edit():")
    assert "update(fn)" in deadlock.cure


# -- agents that take messages -----------------------------------------------------------------------------------------


class Riddle(Ask[str]):
    """A question."""


@agent
async def asks_on(inbox: Inbox[Riddle], others: list[Ref[Riddle]], timeout: float | None = None) -> None:
    async for message in inbox:
        message.reply(await others[0].ask(message.body, timeout=timeout))


@agent
async def tells_on(inbox: Inbox[int], others: list[Ref[int]]) -> None:
    async for message in inbox:
        for _ in range(3):
            await others[0].tell(message.body)


async def test_agents_that_ask_each_other_are_a_circle_with_their_names_and_when_it_ends() -> None:
    async with team(name="office", grace=0) as office:
        others: list[Ref[Riddle]] = []
        ann = office.start(asks_on(others, 30))
        bob = office.start(asks_on([ann], 40))
        others.append(bob)
        async with under_way(ann.ask(Riddle()), bob.ask(Riddle())):
            found = await look()
    (deadlock,) = found.deadlocks
    assert sorted(wait.who for wait in deadlock.circle) == ["office/asks_on:0", "office/asks_on:1"]
    assert {wait.what for wait in deadlock.circle} == {"an agent's answer"}
    assert {wait.holders[0].who for wait in deadlock.circle} == {wait.who for wait in deadlock.circle}
    assert deadlock.ends_in is not None
    assert 20 < deadlock.ends_in <= 30
    assert "tell()" in deadlock.cure
    assert deadlock.behind == 2


async def test_agents_whose_full_mailboxes_wait_for_each_other_are_a_circle() -> None:
    async with team(name="office", grace=0) as office:
        others: list[Ref[int]] = []
        ann = office.start(tells_on(others), capacity=1)
        bob = office.start(tells_on([ann]), capacity=1)
        others.append(bob)
        async with under_way(ann.tell(1), bob.tell(1), turns=0.05):
            found = await look()
    (deadlock,) = found.deadlocks
    assert sorted(wait.who for wait in deadlock.circle) == ["office/tells_on:0", "office/tells_on:1"]
    assert {wait.what for wait in deadlock.circle} == {"room for a message"}
    assert deadlock.ends_in is None
    assert "when_full" in deadlock.cure


@pytest.mark.parametrize("how", ["by another task", "later"])
async def test_a_question_that_somebody_else_may_answer_is_in_no_circle(how: str) -> None:
    helpers: list[asyncio.Task[None]] = []

    @agent
    async def has_help(inbox: Inbox[Riddle], others: list[Ref[Riddle]]) -> None:
        async for message in inbox:
            if how == "later":
                message.defer()
            helper = asyncio.create_task(helps(message))
            helpers.append(helper)
            await others[0].ask(Riddle(), timeout=30)
            await helper

    async def helps(message: Message[Riddle, str]) -> None:
        await asyncio.sleep(20)
        message.reply("")

    async with team(grace=0) as office:
        others: list[Ref[Riddle]] = []
        ann = office.start(has_help(others))
        bob = office.start(asks_on([ann], 40))
        others.append(bob)
        async with under_way(bob.ask(Riddle())):
            found = await look()
        helpers[0].cancel()
    assert found.deadlocks == ()
