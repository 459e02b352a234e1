"""Who waits for whom: through gather, shield, wait, wait_for, groups and the ways a lock may be held."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from linecook.observe import diagnose
from linecook.observe.stuck.graph import Graph, behind
from linecook.observe.stuck.posts import look_at
from tests.aside import aside


async def by_gather(other: asyncio.Task[Any]) -> None:
    await asyncio.gather(other)


async def by_shield(other: asyncio.Task[Any]) -> None:
    await asyncio.gather(asyncio.shield(other))


async def by_wait(other: asyncio.Task[Any]) -> None:
    await asyncio.wait([other])


async def by_wait_for(other: asyncio.Task[Any]) -> None:
    await asyncio.wait_for(asyncio.shield(other), 60)


async def by_group(other: asyncio.Task[Any]) -> None:
    async def inner() -> None:
        await other

    async with asyncio.TaskGroup() as group:
        group.create_task(inner())


async def plainly(other: asyncio.Task[Any]) -> None:
    await other


async def graph_of(*coroutines: Coroutine[Any, Any, Any]) -> Graph:
    """The graph of tasks that have come to where they wait; they are cancelled."""
    before = asyncio.all_tasks()
    for coroutine in coroutines:
        asyncio.create_task(coroutine)
    await asyncio.sleep(0.01)
    tasks = asyncio.all_tasks() - before
    graph = Graph([look_at(task) for task in tasks])
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return graph


@pytest.mark.parametrize("joins", [by_gather, by_shield, by_wait, by_wait_for, by_group, plainly])
async def test_whom_a_task_waits_for_is_found_behind_every_way_to_join(
    joins: Callable[[Any], Coroutine[Any, Any, None]],
) -> None:
    """No circle here: asyncio can't cancel one, since each cancel() goes on to the next for ever."""
    other = asyncio.create_task(asyncio.sleep(20))
    graph = await graph_of(joins(other))
    assert any(other in needs for needs in graph.needs.values())
    other.cancel()
    await asyncio.wait([other])


async def test_who_waits_for_one_that_goes_on_is_not_stuck() -> None:
    async def works() -> None:
        await asyncio.sleep(20)

    async def waits() -> None:
        await asyncio.gather(works(), asyncio.get_running_loop().create_future())

    graph = await graph_of(waits())
    assert graph.circles() == []
    assert graph.stuck == set()


@contextlib.asynccontextmanager
async def by_manager(lock: asyncio.Lock) -> AsyncIterator[None]:
    async with lock:
        yield


@contextlib.asynccontextmanager
async def by_stack(lock: asyncio.Lock) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(lock)
        yield


@pytest.mark.parametrize("entered", [by_manager, by_stack, lambda lock: lock, asyncio.Condition])
async def test_a_lock_is_held_however_its_block_was_entered(entered: Callable[[asyncio.Lock], Any]) -> None:
    lock = asyncio.Lock()

    async def holds() -> None:
        async with entered(lock):
            await asyncio.sleep(20)

    async def waits() -> None:
        async with lock:
            pass

    graph = await graph_of(holds(), waits())
    ((holder, _),) = graph.holders_of(lock)
    assert holder.code is not None
    assert holder.code.co_name == "holds"
    assert len(graph.needs) == 1


async def test_a_condition_lets_go_of_its_lock_while_it_waits_to_be_notified() -> None:
    condition = asyncio.Condition()

    async def waits() -> None:
        async with condition:
            await condition.wait()

    graph = await graph_of(waits())
    assert graph.stuck == set()


async def test_a_bare_future_stands_for_itself() -> None:
    future = asyncio.get_running_loop().create_future()
    assert behind(future) == [future]
    assert behind(asyncio.shield(future)) == [future]
    future.cancel()


async def takes_one_more(slots: asyncio.Semaphore) -> None:
    async with slots:
        await asyncio.sleep(0)
        async with slots:
            pass


async def takes_bare(slots: asyncio.Semaphore) -> None:
    await slots.acquire()
    await asyncio.sleep(20)
    slots.release()


@pytest.mark.parametrize("kind", [asyncio.Semaphore, asyncio.BoundedSemaphore])
async def test_a_slot_that_was_taken_by_a_bare_acquire_is_said_not_to_be_seen(kind: type[asyncio.Semaphore]) -> None:
    slots = kind(2)
    tasks = [asyncio.create_task(each(slots)) for each in (takes_bare, takes_one_more)]
    await asyncio.sleep(0.01)
    found = await aside(diagnose, asyncio.get_running_loop())
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    if kind is asyncio.BoundedSemaphore:  # it tells how many slots it has: one more than those whose holders are seen
        assert found.deadlocks == ()
    else:
        assert "as far as can be seen: a slot taken by a bare acquire()" in str(found.deadlocks[0])


async def test_a_bounded_semaphore_whose_slots_are_all_seen_can_be_a_deadlock() -> None:
    slots = asyncio.BoundedSemaphore(2)
    tasks = [asyncio.create_task(takes_one_more(slots)) for _ in range(2)]
    await asyncio.sleep(0.01)
    found = await aside(diagnose, asyncio.get_running_loop())
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert len(found.deadlocks) == 1
    assert "as far as can be seen" not in str(found)
