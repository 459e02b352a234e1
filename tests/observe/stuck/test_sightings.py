"""Since when tasks wait: as long as they wait for the same, whoever else looks at other tasks meanwhile."""

from __future__ import annotations

import asyncio
import time

from linecook.observe.stuck.sightings import Sightings, all_tasks, waiter_of


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def waiting() -> asyncio.Task[None]:
    return asyncio.create_task(asyncio.sleep(20))


async def test_a_wait_is_as_old_as_the_first_look_that_saw_it() -> None:
    sightings, task = Sightings(), waiting()
    await asyncio.sleep(0)
    began = time.monotonic()
    assert sightings.long([task], 0.0) == {}
    await asyncio.sleep(0.02)
    (since,) = sightings.long([task], 0.01).values()
    assert began <= since <= time.monotonic() - 0.01
    assert sightings.long([task], 100.0) == {}
    assert sightings.since(task) >= 0.01
    await end(task)


async def test_who_has_moved_on_begins_anew() -> None:
    gates: list[asyncio.Future[None]] = [asyncio.get_running_loop().create_future() for _ in range(2)]

    async def moves() -> None:
        for gate in gates:
            await gate

    sightings, task = Sightings(), asyncio.create_task(moves())
    await asyncio.sleep(0)
    sightings.look([task])
    gates[0].set_result(None)
    assert waiter_of(task) is None
    await asyncio.sleep(0.02)
    assert sightings.since(task) == 0.0
    assert sightings.long([task], 0.01) == {}
    ((seen, since),) = sightings.look([task])
    assert seen is task
    assert time.monotonic() - since < 20
    await end(task)


async def test_those_who_look_at_some_tasks_dont_forget_the_others() -> None:
    sightings, first, second = Sightings(), waiting(), waiting()
    await asyncio.sleep(0)
    sightings.look([first])
    sightings.look([first])
    await asyncio.sleep(0.02)
    sightings.look([second])
    assert sightings.since(first) >= 0.015
    assert sightings.since(second) < sightings.since(first)
    await end(first, second)


async def test_what_is_gone_is_forgotten() -> None:
    sightings = Sightings()
    kept: list[object] = []  # so that no task, and nothing that one waits for, stands where another stood before
    for _ in range(3):
        tasks = [waiting() for _ in range(600)]
        await asyncio.sleep(0)
        kept += [*tasks, *map(waiter_of, tasks)]
        sightings.look(tasks)
        sightings.look(tasks)
        await end(*tasks)
    sightings.look([])
    assert len(sightings._seen) == len(sightings._since) == 0


async def test_all_tasks_are_those_of_every_loop_and_the_finished_ones_that_somebody_keeps() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    assert {task, asyncio.current_task()} <= set(all_tasks())
