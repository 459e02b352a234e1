"""Tasks have numbers: sets of them have one order, and their names are the same in every schedule."""

import asyncio

from linecook.testing import explore, outside


def test_sets_of_tasks_are_in_order_of_creation_and_names_begin_at_one() -> None:
    async def main() -> None:
        tasks = {asyncio.create_task(outside(number)) for number in range(6)}
        assert [task.get_name() for task in tasks] == [f"Task-{number}" for number in range(2, 8)]
        done, _ = await asyncio.wait(tasks)
        assert [task.result() for task in done] == list(range(6))

    explore(main, schedules=50).check()


def test_as_completed_begins_its_coroutines_in_order() -> None:
    began = list[int]()

    async def main() -> None:
        began.clear()

        async def child(number: int) -> None:
            began.append(number)
            await outside()

        for each in asyncio.as_completed([child(number) for number in range(5)]):
            await each
        assert began == list(range(5))

    explore(main, schedules=50).check()


def test_a_task_made_without_the_loop_is_numbered_too() -> None:
    async def main() -> None:
        task = asyncio.Task(outside(1))
        assert task.get_name() == "Task-2"
        assert isinstance(task, asyncio.Task)
        assert await task == 1

    explore(main).check()


def test_afterwards_asyncio_is_as_it_was() -> None:
    before = asyncio.Task
    explore(outside)
    assert asyncio.Task is before
    assert asyncio.tasks.Task is before
    assert "set" not in vars(asyncio.tasks)
