"""Who acts: a task, a call on a thread, a thread."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from linecook import tool
from linecook.state.actors import Actor, actor_here
from linecook.testing import explore


async def test_a_task_is_the_same_actor_throughout() -> None:
    actor = actor_here()
    await asyncio.sleep(0)
    assert actor_here() is actor
    assert await asyncio.create_task(_actor()) is not actor


async def _actor() -> Actor:
    return actor_here()


async def test_tasks_have_the_names_they_were_given_or_what_runs_in_them() -> None:
    given = await asyncio.create_task(_name(), name="planner")
    made = await asyncio.create_task(_name())
    assert given == "planner"
    assert made.startswith("Task-")
    assert made.endswith(" (_name)")


async def _name() -> str:
    return actor_here().name


def test_a_thread_is_one_actor_and_another_thread_another() -> None:
    found: list[Actor] = []
    for name in ("first", "second"):
        thread = threading.Thread(target=lambda: found.extend((actor_here(), actor_here())), name=name)
        thread.start()
        thread.join()
    assert [actor.name for actor in found] == ["first", "first", "second", "second"]
    assert found[0] is found[1]
    assert found[1] is not found[2]


def test_each_call_of_a_pool_is_an_actor_of_its_own() -> None:
    with ThreadPoolExecutor(1) as pool:
        first, second = (pool.submit(lambda: (actor_here(), actor_here())).result() for _ in range(2))
    assert first[0] is first[1]
    assert second[0] is second[1]
    assert first[0] is not second[0]


async def test_each_call_of_the_thread_lane_is_an_actor_with_its_name() -> None:
    @tool
    def look() -> tuple[Actor, Actor]:
        return actor_here(), actor_here()

    found = [await look() for _ in range(3)]
    assert all(one is two for one, two in found)
    assert len({one for one, _ in found}) == 3
    assert {one.name for one, _ in found} == {"look"}


def test_each_call_of_an_explored_thread_is_an_actor_of_its_own() -> None:
    """A search serves many calls, and many schedules, on the same real threads."""
    found: list[Actor] = []

    async def main() -> None:
        for _ in range(2):
            await asyncio.to_thread(lambda: found.extend((actor_here(), actor_here())))

    assert explore(main, schedules=3).failure is None
    assert all(one is two for one, two in zip(found[::2], found[1::2], strict=True))
    assert len(set(found)) == len(found) // 2
