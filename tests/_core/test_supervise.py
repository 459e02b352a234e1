"""Ending tasks: asked a bounded number of times, seen to their end, and named where they resist."""

import asyncio
import logging

import pytest

from linecook._core.supervise import MAX_RECANCELS, PatientFuture, see_end, supervisor_of, where
from linecook.testing import VirtualClock


async def polite() -> None:
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(0.2)


async def stubborn(until: asyncio.Event) -> None:
    while not until.is_set():
        try:
            await until.wait()
        except asyncio.CancelledError:
            continue


async def test_see_end_waits_no_longer_than_it_must_and_no_longer_than_the_grace(clock: VirtualClock) -> None:
    task = asyncio.create_task(polite())
    await asyncio.sleep(0)
    task.cancel()
    assert await see_end([task], 5) == set()
    assert clock.time() < 0.3
    hung = asyncio.create_task(asyncio.sleep(100))
    assert await see_end([hung], 0.5) == {hung}
    hung.cancel()


async def test_one_cancel_does_not_end_the_wait_and_is_counted(clock: VirtualClock) -> None:
    async def owner() -> str:
        child = asyncio.create_task(polite())
        await asyncio.sleep(0)
        child.cancel()
        assert await see_end([child], 5) == set()
        task = asyncio.current_task()
        assert task is not None
        return f"{task.cancelling()} open"

    task = asyncio.create_task(owner())
    await asyncio.sleep(0.1)
    task.cancel()
    assert await task == "1 open"


async def test_three_cancels_end_the_wait_at_once(clock: VirtualClock) -> None:
    patience = PatientFuture()
    assert patience.cancel()
    assert patience.cancel()
    assert not patience.done()
    assert patience.cancel()
    assert patience.done()
    assert not patience.cancelled()


async def test_the_supervisor_asks_boundedly_and_then_names_the_line(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    until = asyncio.Event()
    task = asyncio.create_task(stubborn(until))
    await asyncio.sleep(0)
    task.cancel()
    supervisor = supervisor_of(asyncio.get_running_loop())
    with caplog.at_level(logging.WARNING, logger="linecook"):
        supervisor.adopt(task, "stubborn()", "caller", 0.5)
        supervisor.adopt(task, "stubborn()", "caller", 0.5)  # once is enough
        await asyncio.sleep(5)
    assert task.cancelling() == MAX_RECANCELS
    assert supervisor.resisting == {task: "stubborn()"}
    assert caplog.text.count("stubborn()") == 1
    assert "test_supervise.py" in caplog.text
    until.set()
    await task
    await asyncio.sleep(0)
    assert supervisor.resisting == {}
    assert supervisor.tasks == []


async def test_a_polite_task_is_asked_once(clock: VirtualClock) -> None:
    task = asyncio.create_task(polite())
    await asyncio.sleep(0)
    task.cancel()
    supervisor_of(asyncio.get_running_loop()).adopt(task, "polite()", "caller", 0.5)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 1
    await asyncio.sleep(1)
    assert supervisor_of(asyncio.get_running_loop()).tasks == []


async def test_where_names_the_innermost_line_of_the_users_code(clock: VirtualClock) -> None:
    async def inner() -> None:
        await asyncio.sleep(10)

    async def outer() -> None:
        await inner()

    task = asyncio.create_task(outer())
    await asyncio.sleep(1)
    assert where(task).endswith("in inner")
    task.cancel()
