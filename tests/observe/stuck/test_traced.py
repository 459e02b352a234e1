"""Holders of asyncio's locks however they were taken, and locks taken in both orders."""

from __future__ import annotations

import asyncio

import pytest

from linecook import install
from linecook.observe import LockOrder, diagnose
from linecook.observe.stuck.traced import LockTrace
from tests.aside import aside

BEFORE = {
    (kind, name): getattr(kind, name) for kind in (asyncio.Lock, asyncio.Semaphore) for name in ("acquire", "release")
}


@pytest.fixture
def trace() -> LockTrace:
    return LockTrace(on_order=lambda _: None)


async def takes_by_hand(first: asyncio.Lock, second: asyncio.Lock) -> None:
    await first.acquire()
    try:
        await asyncio.sleep(0)
        await second.acquire()
        second.release()
    finally:
        first.release()


async def test_a_deadlock_of_locks_taken_without_a_with_block(trace: LockTrace) -> None:
    a, b = asyncio.Lock(), asyncio.Lock()
    with trace:
        tasks = [asyncio.create_task(takes_by_hand(*locks)) for locks in ((a, b), (b, a))]
        await asyncio.sleep(0.01)
        found = await aside(diagnose, asyncio.get_running_loop())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    (deadlock,) = found.deadlocks
    assert [wait.holders[0].place.endswith("await first.acquire()") for wait in deadlock.circle] == [True, True]


async def test_both_orders_are_told_although_nothing_happened(trace: LockTrace) -> None:
    a, b = asyncio.Lock(), asyncio.Lock()
    with trace:
        await asyncio.create_task(takes_by_hand(a, b), name="planner")
        assert trace.orders == []
        await asyncio.create_task(takes_by_hand(b, a), name="critic")
        await asyncio.create_task(takes_by_hand(b, a), name="critic")
    (order,) = trace.orders
    assert isinstance(order, LockOrder)
    assert order.first.startswith("critic took a Lock at ")
    assert order.second.startswith("planner took a Lock at ")
    assert "await first.acquire()" in order.first


async def test_a_circle_of_three_orders_is_found(trace: LockTrace) -> None:
    a, b, c = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
    with trace:
        for first, second in ((a, b), (b, c), (c, a)):
            await asyncio.create_task(takes_by_hand(first, second))
    assert len(trace.orders) == 1


async def test_orders_that_can_never_meet_are_not_told(trace: LockTrace) -> None:
    a, b, gate, own, other = (asyncio.Lock() for _ in range(5))

    async def behind(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with gate, first, second:
            pass

    async def one_after_the_other() -> None:
        await takes_by_hand(own, other)
        await takes_by_hand(other, own)

    with trace:
        await asyncio.create_task(behind(a, b))
        await asyncio.create_task(behind(b, a))
    assert trace.orders == []
    with trace:
        await asyncio.create_task(one_after_the_other())  # one task: it can't wait for itself here
    assert trace.orders == []


async def test_who_ended_without_giving_a_lock_back(trace: LockTrace) -> None:
    lock = asyncio.Lock()

    async def careless() -> None:
        await lock.acquire()

    async def waits() -> None:
        async with lock:
            pass

    with trace:
        await asyncio.create_task(careless(), name="careless")
        task = asyncio.create_task(waits())
        await asyncio.sleep(0.01)
        said = str(await aside(diagnose, asyncio.get_running_loop()))
        lock.release()
        await task
    assert "taken by careless at " in said
    assert "which has ended" in said


async def test_who_set_and_cleared_an_event_last(trace: LockTrace) -> None:
    event = asyncio.Event()

    async def says() -> None:
        event.set()
        event.clear()

    with trace:
        await asyncio.create_task(says(), name="sayer")
        task = asyncio.create_task(event.wait())
        await asyncio.sleep(0.01)
        said = str(await aside(diagnose, asyncio.get_running_loop()))
        event.set()
        await task
    assert "cleared last by sayer at " in said


async def test_semaphores_count_their_holders(trace: LockTrace) -> None:
    slots = asyncio.Semaphore(2)

    async def holds() -> None:
        await slots.acquire()
        await asyncio.sleep(20)

    async def waits() -> None:
        async with slots:
            pass

    with trace:
        tasks = [asyncio.create_task(each) for each in (holds(), holds(), waits())]
        await asyncio.sleep(0.01)
        found = await aside(diagnose, asyncio.get_running_loop())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    (wait,) = [wait for wait in found.waits if wait.what == "an asyncio.Semaphore"]
    assert len(wait.holders) == 2


def test_everything_is_as_it_was_when_the_last_trace_has_ended() -> None:
    first, second = LockTrace(), LockTrace()
    with first:
        second.begin()
        assert asyncio.Lock.acquire is not BEFORE[asyncio.Lock, "acquire"]
    assert asyncio.Lock.acquire is not BEFORE[asyncio.Lock, "acquire"]
    second.end()
    second.end()
    assert {(kind, name): getattr(kind, name) for kind, name in BEFORE} == BEFORE


def test_install_traces_when_asked_to_and_gives_it_back() -> None:
    installed = install(trace_locks=True)
    try:
        assert asyncio.Lock.acquire is not BEFORE[asyncio.Lock, "acquire"]
    finally:
        installed.uninstall()
    assert asyncio.Lock.acquire is BEFORE[asyncio.Lock, "acquire"]


async def test_a_task_that_runs_nothing_but_acquire_is_called_as_it_is_without_a_trace(trace: LockTrace) -> None:
    lock = asyncio.Lock()
    with trace:
        await lock.acquire()
        task = asyncio.create_task(lock.acquire(), name="waiter")
        await asyncio.sleep(0)
        assert "waiter (Lock.acquire) waits for an asyncio.Lock" in str(diagnose())
        lock.release()
        await task


async def test_cancelling_a_wait_leaves_no_holder_behind(trace: LockTrace) -> None:
    lock = asyncio.Lock()

    async def waits() -> None:
        async with lock:
            pass

    with trace:
        async with lock:
            task = asyncio.create_task(waits())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert not lock.locked()
        assert vars(lock)["_linecook_held"] == []
