"""Our own shared values, in every order: no update lost, no waiter left asleep, nothing seen half done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from linecook import Shared, SharedMap, fail_after, gather, tool, transaction
from linecook.errors import Conflict, TimedOutError
from linecook.testing import explore, outside
from tests.testing.exploring.house import in_every_order


def plus_1(number: int) -> int:
    return number + 1


@tool
def add_on_a_thread(cell: Shared[int]) -> None:
    cell.update(plus_1)


@tool
def move_on_a_thread(source: Shared[int], target: Shared[int]) -> None:
    transaction(lambda: move(source, target))


def move(source: Shared[int], target: Shared[int]) -> None:
    source.value -= 10
    target.value += 10


async def add_later(cell: Shared[int]) -> None:
    await outside()
    cell.update(plus_1)


async def edit(cell: Shared[int]) -> None:
    async with cell.edit() as draft:
        await outside()
        draft.value += 1


async def cancel_later(task: "asyncio.Task[Any]") -> None:
    await outside("the cancel")
    task.cancel()


async def updates() -> None:
    cell = Shared(0)
    await asyncio.gather(add_later(cell), add_later(cell), add_later(cell))
    assert cell.value == 3


async def updates_of_threads() -> None:
    cell = Shared(0)
    await gather(add_on_a_thread(cell), add_on_a_thread(cell))
    assert cell.value == 2


async def edits_that_are_cancelled() -> None:
    cell = Shared(0)
    tasks = [asyncio.create_task(edit(cell)) for _ in range(3)]
    await asyncio.wait([*tasks, *(asyncio.create_task(cancel_later(task)) for task in tasks[:2])])
    async with cell.edit() as draft:  # the turn was given on
        draft.value += 1
    assert cell.value == 4 - sum(task.cancelled() for task in tasks)


async def edits_and_updates() -> None:
    cell, conflicts = Shared(0), list[Conflict]()

    async def edit_or_lose() -> None:
        try:
            await edit(cell)
        except Conflict as conflict:
            conflicts.append(conflict)

    await asyncio.gather(edit_or_lose(), add_later(cell), edit_or_lose())
    assert cell.value == 3 - len(conflicts)


async def transactions() -> None:
    here, there = Shared(100), Shared(0)

    async def move_later() -> None:
        await outside()
        transaction(lambda: move(here, there))

    async def audit() -> None:
        for _ in range(2):
            await outside()
            assert transaction(lambda: here.value + there.value) == 100

    await asyncio.gather(move_later(), move_later(), audit())
    assert (here.value, there.value) == (80, 20)


async def waits() -> None:
    cell = Shared(0)
    waiting = [asyncio.create_task(cell.wait_for(lambda number: number >= 2)) for _ in range(2)]
    await asyncio.gather(add_later(cell), add_later(cell), cancel_later(waiting[0]))
    assert await waiting[1] == 2
    await asyncio.wait(waiting)


async def waits_that_are_late() -> None:
    cell = Shared(0)

    async def bounded() -> None:
        try:
            with fail_after(1):
                assert await cell.wait_for(lambda number: number >= 1) == 1
        except TimedOutError:
            pass

    await asyncio.gather(bounded(), add_later(cell))


async def changes() -> None:
    cell, seen = Shared(0), list[int]()

    async def watch() -> None:
        async for number in cell.changes():
            seen.append(number)
            if number >= 2:
                break

    await asyncio.gather(watch(), add_later(cell), add_later(cell))
    assert seen == sorted(seen)
    assert seen[-1] == 2


async def a_map() -> None:
    notes = SharedMap({"soup": 0, "roast": 0})

    async def note(dish: str) -> None:
        await outside()
        notes.update(dish, plus_1)

    await asyncio.gather(note("soup"), note("soup"), note("roast"))
    assert dict(notes.items()) == {"soup": 2, "roast": 1}


async def transactions_of_threads() -> None:
    here, there = Shared(100), Shared(0)
    await gather(move_on_a_thread(here, there), move_on_a_thread(there, here))
    assert (here.value, there.value) == (100, 0)


async def a_wait_that_threads_end() -> None:
    cell = Shared(0)

    async def wait() -> int:
        return await cell.wait_for(lambda number: number >= 2)

    assert (await gather(wait(), add_on_a_thread(cell), add_on_a_thread(cell)))[0] == 2


async def changes_by_threads() -> None:
    cell, seen = Shared(0), list[int]()

    async def watch() -> None:
        async for number in cell.changes():
            seen.append(number)
            if number >= 2:
                break

    await gather(watch(), add_on_a_thread(cell), add_on_a_thread(cell))
    assert seen == sorted(seen)
    assert seen[-1] == 2


OF_THREADS = [updates_of_threads, transactions_of_threads, a_wait_that_threads_end, changes_by_threads]
PROGRAMS = [
    updates, edits_that_are_cancelled, edits_and_updates, transactions, waits, waits_that_are_late, changes, a_map,
    *OF_THREADS,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_shared_value_keeps_its_word_in_every_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program)


@pytest.mark.slow
@pytest.mark.parametrize("program", OF_THREADS, ids=lambda program: program.__name__)
def test_and_in_300_where_every_load_and_store_may_be_interrupted(program: Callable[[], Awaitable[None]]) -> None:
    found = explore(program, schedules=300, points="opcodes").check(strict=True)
    assert found.exhausted or found.schedules == 300
