"""Our own limits and retries, in every order: no bound is passed, and no place is lost on the way from hand to hand."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from linecook import Limit, Ok, Retry, TimedOut, fail_after, gather, settle, tool
from linecook.errors import TimedOutError
from linecook.testing import outside
from tests.testing.exploring.house import Kitchen, in_every_order

KITCHEN: ContextVar[Kitchen] = ContextVar("KITCHEN")
STOVE = Limit(1, name="stove")
ATTEMPTS: ContextVar[list[str]] = ContextVar("ATTEMPTS")


@tool(limit=STOVE)
async def fry(dish: str) -> str:
    return await KITCHEN.get().cook(dish)


@tool(limit=STOVE)
async def boil(dish: str) -> str:
    return await KITCHEN.get().cook(dish)


@tool(limit=1, timeout=1)
async def fry_soon(dish: str) -> str:
    return await KITCHEN.get().cook(dish)


@tool(limit=1, effect="read", retry=Retry(on=ValueError, attempts=2, jitter=0))
async def taste(dish: str) -> str:
    attempts = ATTEMPTS.get()
    attempts.append(dish)
    is_first = len(attempts) == 1
    return await (KITCHEN.get().burn(dish) if is_first else KITCHEN.get().cook(dish))


@tool(limit=1)
def chop(dish: str) -> str:
    return pass_through(dish)  # one that was given up runs on beside the next, by contract: nothing to count here


def pass_through(dish: str) -> str:
    """Return *dish*: a call, where a thread may lose its turn."""
    return dish


def open_kitchen() -> Kitchen:
    kitchen = Kitchen(most=1)
    KITCHEN.set(kitchen)
    ATTEMPTS.set([])
    return kitchen


async def all_but_the_cancelled(calls: list[Awaitable[Any]], cancelled: int) -> None:
    """Run *calls*, cancel the first *cancelled* at some moment each, and see the others come home."""
    tasks = [asyncio.ensure_future(call) for call in calls]

    async def cancel(task: "asyncio.Future[Any]") -> None:
        await outside("the cancel")
        task.cancel()

    await asyncio.gather(*(cancel(task) for task in tasks[:cancelled]))
    await asyncio.wait(tasks)
    for task in tasks[cancelled:]:
        assert task.result()


async def a_waiter_is_cancelled() -> None:
    kitchen = open_kitchen()
    await all_but_the_cancelled([fry("b"), fry("a"), fry("c")], cancelled=1)
    assert await fry("d") == "d"
    assert kitchen.is_quiet()


async def the_holder_and_a_waiter_are_cancelled() -> None:
    kitchen = open_kitchen()
    await all_but_the_cancelled([fry("a"), fry("b"), fry("c")], cancelled=2)
    assert await fry("d") == "d"
    assert kitchen.is_quiet()


async def two_tools_share_a_limit() -> None:
    kitchen = open_kitchen()
    await all_but_the_cancelled([boil("b"), fry("a"), boil("c")], cancelled=1)
    assert await fry("d") == "d"
    assert kitchen.is_quiet()


async def a_waiter_is_late() -> None:
    kitchen = open_kitchen()

    async def bounded() -> None:
        try:
            with fail_after(1):
                await fry("b")
        except TimedOutError:
            pass

    await asyncio.gather(fry("a"), bounded())
    assert await fry("d") == "d"
    assert kitchen.is_quiet()


async def a_holder_is_late() -> None:
    kitchen = open_kitchen()
    for outcome in await settle(fry_soon("a"), fry_soon("b")):
        assert isinstance(outcome, (Ok, TimedOut))
    assert kitchen.is_quiet()


async def an_attempt_fails() -> None:
    kitchen = open_kitchen()
    assert await gather(taste("a"), taste("b")) == ("a", "b")
    assert len(ATTEMPTS.get()) == 3
    assert kitchen.is_quiet()


async def a_call_that_tries_again_is_cancelled() -> None:
    kitchen = open_kitchen()
    await all_but_the_cancelled([taste("a"), taste("b")], cancelled=1)
    assert await taste("c") == "c"
    assert kitchen.is_quiet()


async def a_place_goes_from_thread_to_thread() -> None:
    open_kitchen()
    await all_but_the_cancelled([chop("b"), chop("a")], cancelled=1)
    assert await chop("c") == "c"


PROGRAMS = [
    a_waiter_is_cancelled, the_holder_and_a_waiter_are_cancelled, two_tools_share_a_limit, a_waiter_is_late,
    a_holder_is_late, an_attempt_fails, a_call_that_tries_again_is_cancelled,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_limit_loses_no_place_in_any_order(program: Callable[[], Awaitable[None]]) -> None:
    in_every_order(program)


@pytest.mark.slow
def test_a_limit_on_a_thread_tool_loses_no_place() -> None:
    in_every_order(a_place_goes_from_thread_to_thread)
