"""The longest waits, by the await they stand at."""

from __future__ import annotations

import asyncio
import time
import weakref

import pytest

from linecook.observe.audit.ledger import Ledger
from linecook.observe.audit.waits import Waits
from tests.observe.audit.conftest import audited, line_of


def looks(waits: Waits, loop: asyncio.AbstractEventLoop, *times: float) -> None:
    for now in times:
        waits._next = 0.0
        waits.look(now, [loop])


async def test_a_wait_is_known_by_its_line_and_by_what_it_waits_for() -> None:
    async def take() -> None:
        await queue.get()  # waits

    queue: asyncio.Queue[None] = asyncio.Queue()
    task = asyncio.create_task(take())
    await asyncio.sleep(0)
    waits = Waits(Ledger())
    looks(waits, asyncio.get_running_loop(), 100.0, 107.0)
    (fact,) = waits.not_over()
    assert (fact.where.line, fact.seconds) == (line_of(take, "# waits"), 7.0)
    assert [said for (subject, said), _ in fact.details if subject == "what"] == ["Queue.get"]
    queue.put_nowait(None)
    await task


async def test_a_wait_that_is_over_is_noted_and_its_task_let_go() -> None:
    event = asyncio.Event()
    task = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    ledger = Ledger()
    waits = Waits(ledger)
    looks(waits, asyncio.get_running_loop(), 100.0, 103.0)
    event.set()
    await task
    known = weakref.ref(task)
    del task
    await asyncio.sleep(0)
    looks(waits, asyncio.get_running_loop(), 104.0)
    (total,) = ledger.sums()
    assert (total.kind, total.count, total.longest) == ("wait", 1, 3.0)
    assert waits.not_over() == []
    assert known() is None


async def test_who_waits_for_tasks_is_left_out_since_those_are_there() -> None:
    async def children() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(30))  # child

    tasks = [asyncio.create_task(children())]
    tasks += [asyncio.create_task(_awaits(wait)) for wait in (_gathered, _waited)]
    await asyncio.sleep(0.01)
    waits = Waits(Ledger())
    looks(waits, asyncio.get_running_loop(), 100.0, 110.0)
    whats = [said for fact in waits.not_over() for (subject, said), _ in fact.details if subject == "what"]
    assert set(whats) == {"sleep"}
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _gathered() -> None:
    await asyncio.gather(asyncio.sleep(30))


async def _waited() -> None:
    task = asyncio.ensure_future(asyncio.sleep(30))
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()


async def _awaits(wait: object) -> None:
    await wait()  # type: ignore[operator]


async def test_a_great_many_tasks_are_not_all_followed_and_that_is_counted() -> None:
    event = asyncio.Event()
    tasks = [asyncio.create_task(event.wait()) for _ in range(1000)]
    await asyncio.sleep(0)
    waits = Waits(Ledger())
    looks(waits, asyncio.get_running_loop(), 100.0, 110.0)
    assert len(waits.not_over()) < 1000
    assert waits.unfollowed >= 1000 - 250
    event.set()
    await asyncio.wait(tasks)


async def test_looks_are_the_rarer_the_dearer_they_are() -> None:
    waits = Waits(Ledger())
    now = time.monotonic()
    waits._next = 0.0
    waits.look(now, [asyncio.get_running_loop()])
    assert waits._next >= now + 0.25


@pytest.mark.slow
def test_the_report_has_the_longest_first() -> None:
    async def main() -> None:
        async def short() -> None:
            await asyncio.sleep(0.9)

        async with asyncio.TaskGroup() as group:
            group.create_task(short())
            await asyncio.sleep(3)  # long

    report = audited(main)
    assert report.waits[0].place.line == line_of(main, "# long")
    assert [wait.longest for wait in report.waits] == sorted((wait.longest for wait in report.waits), reverse=True)
    assert report.findings == []
