"""Which line made a task is told when it was asked for, however the task is made, and costs nothing when it wasn't."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from linecook import agent, install, scope
from linecook.observe import diagnose
from linecook.observe.stuck.made import TaskTrace

CREATE_TASK = asyncio.BaseEventLoop.create_task


@pytest.fixture
def trace():  # type: ignore[no-untyped-def]
    with TaskTrace() as under_way:
        yield under_way
    assert asyncio.BaseEventLoop.create_task is CREATE_TASK


async def reads(queue: asyncio.Queue[str]) -> str:
    return await queue.get()


def line_here() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


async def end(*tasks: asyncio.Task[str]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_wait_is_told_with_the_line_that_made_the_task(trace: TaskTrace) -> None:
    task, line = asyncio.create_task(reads(asyncio.Queue())), line_here()
    await asyncio.sleep(0)
    found = diagnose(asyncio.get_running_loop())
    (wait,) = [*found.unwakeable, *found.waits]
    assert f"test_made.py:{line} in test_a_wait_is_told" in wait.made_at
    assert "asyncio.create_task(reads(asyncio.Queue()))" in wait.made_at
    assert f"\n    made at {wait.made_at}" in str(found)
    await end(task)


async def test_without_it_a_wait_is_told_without() -> None:
    task = asyncio.create_task(reads(asyncio.Queue()))
    await asyncio.sleep(0)
    found = diagnose(asyncio.get_running_loop())
    assert [wait.made_at for wait in (*found.unwakeable, *found.waits)] == [""]
    assert "made at" not in str(found)
    await end(task)


async def test_each_way_to_make_a_task_is_seen(trace: TaskTrace) -> None:
    queue, told = asyncio.Queue[str](), dict[str, str]()

    async def tells(name: str) -> None:
        await queue.get()

    @agent
    async def waits() -> None:
        await tells("agent")

    async with asyncio.TaskGroup() as group, scope() as s:
        gathered = asyncio.gather(tells("gather"), tells("gather"))
        group.create_task(tells("group"), name="group")
        s.start(waits())
        await asyncio.sleep(0)
        for wait in diagnose(asyncio.get_running_loop(), most=100).waits:
            told[wait.who] = wait.made_at
        for _ in range(4):
            queue.put_nowait("soup")
        await gathered
    assert len(told) >= 2, told
    assert all("test_made.py" in made for made in told.values()), told


async def test_a_task_left_behind_is_told_with_its_line(trace: TaskTrace) -> None:
    async def fails() -> None:
        raise ValueError("soup")

    task, line = asyncio.create_task(fails()), line_here()
    await asyncio.sleep(0)
    (left,) = diagnose(asyncio.get_running_loop()).left
    assert f"test_made.py:{line} in" in left.made_at
    assert "asyncio.create_task(fails())" in left.made_at
    with pytest.raises(ValueError, match="soup"):
        await task


async def test_several_traces_may_be_under_way_and_the_last_gives_everything_back() -> None:
    first, second = TaskTrace(), TaskTrace()
    with first:
        second.begin()
    assert asyncio.BaseEventLoop.create_task is not CREATE_TASK
    second.end()
    second.end()
    assert asyncio.BaseEventLoop.create_task is CREATE_TASK


def test_install_traces_tasks_when_asked_to_and_gives_it_back() -> None:
    with install(trace_tasks=True, trace_locks=True):
        assert asyncio.BaseEventLoop.create_task is not CREATE_TASK
    assert asyncio.BaseEventLoop.create_task is CREATE_TASK
    with install():
        assert asyncio.BaseEventLoop.create_task is CREATE_TASK
