"""What people read of waits and their cures."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from linecook import Shared, agent, settle
from linecook.observe.stuck.noted import is_tracing, orders_found
from linecook.observe.stuck.posts import look_at
from linecook.observe.stuck.words import count_of, hint_for, may_be_lost, name_of, path_of, what_of

cell = Shared(0)


async def for_a_lock() -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()


async def for_an_event() -> None:
    await asyncio.Event().wait()


async def for_a_queue() -> None:
    await asyncio.Queue[int]().get()


async def for_a_future() -> None:
    await asyncio.get_running_loop().create_future()


async def for_a_change() -> None:
    await cell.wait_for(lambda value: value > 0)


CASES: list[tuple[Any, str, str]] = [
    (for_a_lock, "an asyncio.Lock", "never gave it back"),
    (for_an_event, "Event.wait", "Set the Event wherever the work ends"),
    (for_a_queue, "Queue.get", "have the producer put an end mark"),
    (for_a_future, "a future", "set one, or an exception, on every way out"),
    (for_a_change, "a change of Shared", "Nobody writes it any more"),
]


@pytest.mark.parametrize(("body", "what", "hint"), CASES, ids=[case[0].__name__ for case in CASES])
async def test_a_wait_is_named_and_has_a_usual_cure(body: Any, what: str, hint: str) -> None:
    running: Coroutine[Any, Any, None] = body()
    task = asyncio.create_task(running, name="critic")
    await asyncio.sleep(0)
    post = look_at(task)
    task.cancel()
    await asyncio.wait([task])
    assert what_of(post).startswith(what)
    assert count_of(post).startswith(f"wait for {what}")
    assert hint in hint_for(post)
    assert may_be_lost(post)
    assert name_of(post) == f"critic ({body.__name__})"


async def test_a_task_is_called_by_the_innermost_call_that_it_stands_in() -> None:
    gate = asyncio.Event()
    standing: list[asyncio.Task[Any] | None] = []

    @agent
    async def reader(number: int) -> None:
        standing.append(asyncio.current_task())
        await gate.wait()

    fan_out = asyncio.ensure_future(settle([reader(0)]))
    await asyncio.sleep(0.01)
    (task,) = standing
    assert task is not None
    named = name_of(look_at(task))
    gate.set()
    await fan_out
    assert named == "settle/reader[0]"


def test_a_path_too_deep_to_be_told_ends_with_its_last_step() -> None:
    class Deep:
        name, number = "reader", 7

        @property
        def path(self) -> str:
            raise RecursionError

    assert path_of(Deep()) == ".../reader:7"


def test_without_a_trace_no_order_is_known() -> None:
    assert not is_tracing()
    assert orders_found() == []
