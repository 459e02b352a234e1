"""Waiting for a value, on whatever loop, with writers on whatever thread."""

import asyncio
import threading
from typing import Any

import pytest

from linecook import Shared, fail_after
from linecook.errors import LostUpdate, TimedOutError, UsageError
from linecook.testing import VirtualClock


def in_a_thread(step: Any) -> None:
    thread = threading.Thread(target=step)
    thread.start()
    thread.join()


async def test_a_value_that_is_there_is_returned_at_once() -> None:
    assert await Shared(3).wait_for(lambda n: n > 2, timeout=0) == 3


async def test_it_waits_until_the_value_passes() -> None:
    cell = Shared(0)
    waiting = [asyncio.create_task(cell.wait_for(lambda n, least=n: n >= least)) for n in range(1, 4)]
    for n in range(1, 4):
        await asyncio.sleep(0)
        cell.value = n
        await asyncio.sleep(0.001)
        assert [task.done() for task in waiting] == [least <= n for least in range(1, 4)]
    assert await asyncio.gather(*waiting) == [1, 2, 3]
    assert cell._waiters == {}


async def test_every_way_to_write_wakes() -> None:
    def by_value(cell: Shared[int]) -> None:
        cell.value = 1

    async def by_edit(cell: Shared[int]) -> None:
        async with cell.edit() as draft:
            draft.value = 1

    ways: list[Any] = [
        by_value, by_edit, lambda cell: cell.set(1), lambda cell: cell.update(lambda _: 1),
        lambda cell: cell.compare_and_set(0, 1),
    ]  # fmt: skip
    for write in ways:
        cell = Shared(0)
        waiting = asyncio.create_task(cell.wait_for(bool))
        await asyncio.sleep(0)
        if (more := write(cell)) is not None and asyncio.iscoroutine(more):
            await more
        assert await asyncio.wait_for(waiting, 10) == 1


async def test_a_time_out_of_its_own_and_one_around_it(clock: VirtualClock) -> None:
    cell = Shared(0)
    with pytest.raises(TimedOutError, match=r"Shared 'cell'\.wait_for\(5\) passed"):
        await cell.wait_for(bool, timeout=5)
    assert clock.time() == pytest.approx(5, abs=0.01)
    with pytest.raises(TimedOutError, match=r"fail_after\(2\)"), fail_after(2):
        await cell.wait_for(bool, timeout=5)
    with pytest.raises(TimedOutError):
        await cell.wait_for(bool, timeout=0)
    with pytest.raises(ValueError, match="timeout must be 0 or more"):
        await cell.wait_for(bool, timeout=-1)
    assert cell._waiters == {}


async def test_a_predicate_that_fails_or_is_async_comes_up() -> None:
    cell = Shared(0)
    with pytest.raises(ZeroDivisionError):
        await cell.wait_for(lambda n: 1 // n > 0)

    async def later(_: int) -> bool:
        return True

    with pytest.raises(UsageError, match=r"wait_for's predicate can't use .*later"):
        await cell.wait_for(later)
    assert await cell.wait_for(lambda n: [n]) == 0, "what it returns only has to be true"


async def test_waiting_counts_as_reading() -> None:
    cell = Shared(0, lost_update="raise")
    stale = cell.value
    asyncio.get_running_loop().call_soon(lambda: cell.update(lambda n: n + 1))
    seen = await cell.wait_for(bool)
    cell.value = seen + stale
    seen = await cell.wait_for(bool)
    in_a_thread(lambda: cell.set(5))
    with pytest.raises(LostUpdate, match=r"read 1 at .*wait_for"):
        cell.value = seen + 1


def test_waiters_on_several_loops_are_woken_by_a_thread() -> None:
    cell, found = Shared(0), list[int]()

    async def wait() -> None:
        found.extend(await asyncio.gather(*(cell.wait_for(lambda n: n == 20) for _ in range(5))))

    threads = [threading.Thread(target=lambda: asyncio.run(wait())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        cell.update(lambda n: n + 1)
    for thread in threads:
        thread.join(10)
    assert found == [20] * 15


async def test_a_waiter_whose_loop_is_closed_harms_nobody() -> None:
    cell = Shared(0)

    def leave() -> Any:
        loop = asyncio.new_event_loop()
        coroutine = cell.wait_for(bool)
        task = loop.create_task(coroutine)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        return coroutine

    left: list[Any] = []
    in_a_thread(lambda: left.append(leave()))
    waiting = asyncio.create_task(cell.wait_for(bool))
    await asyncio.sleep(0)
    cell.value = 1
    assert await waiting == 1
    left.pop().close()
    assert cell._waiters == {}


async def test_changes_are_seen_one_by_one_by_a_reader_that_keeps_up() -> None:
    cell, seen = Shared(0), list[int]()

    async def read() -> None:
        async for value in cell.changes():
            seen.append(value)
            if value == 3:
                return

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    for n in (1, 2, 3):
        cell.value = n
        await asyncio.sleep(0.001)
    await reader
    assert seen == [1, 2, 3]


async def test_a_slow_reader_skips_and_gets_the_newest() -> None:
    cell = Shared(0)
    changes = cell.changes()
    for n in range(1, 1_000):
        cell.value = n
    assert await anext(changes) == 999
    assert changes.missed == 998
    with pytest.raises(TimedOutError), fail_after(0.01):
        await anext(changes)
    cell.value = 999  # written again: a change
    assert await anext(changes) == 999
    assert changes.missed == 998


async def test_two_readers_need_an_iterator_each() -> None:
    cell = Shared(0)
    changes = cell.changes()
    first = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="give each its own"):
        await anext(changes)
    cell.value = 1
    assert await first == 1


def test_a_reader_sees_the_last_of_what_threads_write() -> None:
    cell, last = Shared(0), list[int]()

    async def read() -> None:
        changes = cell.changes()
        ready.set()
        async for value in changes:
            last.append(value)
            if value == 400:
                break
        assert len(last) + changes.missed == 400

    ready = threading.Event()
    reader = threading.Thread(target=lambda: asyncio.run(read()))
    reader.start()
    assert ready.wait(10)
    writers = [threading.Thread(target=lambda: [cell.update(lambda n: n + 1) for _ in range(100)]) for _ in range(4)]
    for thread in [*writers]:
        thread.start()
    for thread in [*writers, reader]:
        thread.join(20)
    assert last == sorted(last)
    assert last[-1] == 400
