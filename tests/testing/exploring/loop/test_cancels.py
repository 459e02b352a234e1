"""Swallowed cancellations: going on with the work is one, cleaning up and taking it back are none."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from linecook import Inbox, agent, scope, team
from linecook.testing import explore, outside


def cancelled(worker: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return a program that cancels *worker* at some point of its life and waits for its end."""

    async def main() -> None:
        task = asyncio.create_task(worker())
        await outside()
        task.cancel()
        await asyncio.wait([task])

    return main


async def goes_on() -> None:
    for _ in range(2):
        try:
            await outside()
        except BaseException:
            pass


async def cleans_up() -> None:
    try:
        await outside()
    finally:
        await outside()


async def cleans_up_and_stops() -> None:
    try:
        await outside()
    except asyncio.CancelledError:
        await outside()


async def takes_it_back() -> None:
    try:
        await outside()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
    await outside()


async def times_out() -> None:
    try:
        async with asyncio.timeout(1):
            await outside()
    except TimeoutError:
        await outside()


async def times_out_and_then_stops() -> None:
    await times_out_quietly()
    try:
        await outside()
    except asyncio.CancelledError:
        return  # as what runs a call does: it tells by an outcome that it was cancelled


async def times_out_quietly() -> None:
    try:
        async with asyncio.timeout(1):
            await outside()
    except TimeoutError:
        pass


def test_going_on_with_the_work_is_found_with_the_line() -> None:
    failure = explore(cancelled(goes_on)).failure
    assert failure is not None
    assert failure.kind == "swallowed cancellation"
    assert "test_cancels.py" in failure.message


@pytest.mark.parametrize("worker", [cleans_up, cleans_up_and_stops, takes_it_back, times_out, times_out_and_then_stops])
def test_what_ends_in_its_own_way_is_fine(worker: Callable[[], Coroutine[Any, Any, None]]) -> None:
    explore(cancelled(worker)).check()


def test_who_sees_its_own_calls_end_before_it_does_swallows_nothing() -> None:
    @agent
    async def head_cook(inbox: Inbox[str]) -> None:
        async with scope() as cooks:
            cooks.start(cleans_up())

    async def call() -> None:
        async with scope() as cooks:
            cooks.start(cleans_up())

    async def main() -> None:
        async with team() as kitchen, scope() as s:
            ref, handle = kitchen.start(head_cook()), s.start(call())
            await outside()
            handle.cancel()
            await ref.stop(grace=0)

    explore(main, overtakings=1).check()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="wait_for drops no cancel since 3.12")
def test_a_cancel_that_wait_for_drops_is_found() -> None:
    """https://github.com/python/cpython/issues/86296"""

    async def waits() -> None:
        await asyncio.wait_for(outside(), 60)

    failure = explore(cancelled(waits)).failure
    assert failure is not None
    assert failure.kind == "swallowed cancellation"
    assert "wait_for" in failure.message


def test_the_parent_of_a_group_that_fails_was_not_asked_to_end() -> None:
    async def main() -> None:
        async def fails() -> None:
            await outside()
            raise ValueError

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                await outside()
        except* ValueError:
            pass
        await outside()

    explore(main).check()
