"""What a task stands in: calls, what the last one waits for, lines and deadlines."""

from __future__ import annotations

import asyncio
import gc
import importlib
import pkgutil
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import CodeType, FunctionType
from typing import Any

import pytest

import linecook._core
import linecook.agents
import linecook.tools
from linecook import Limit, Retry, agent, fail_after, resource, scope, settle, tool
from linecook._core.context import Frame
from linecook.observe.live import chains
from linecook.observe.live.chains import Glance, Standing, driver_of, glance_at, standings_of

released = threading.Event()
one_at_a_time = Limit(1)


@pytest.fixture(autouse=True)
def let_go() -> Iterator[None]:
    released.clear()
    yield
    released.set()


@tool
def block() -> None:
    released.wait(20)


@tool(timeout=30, attempt_timeout=20)
def block_longer() -> None:
    released.wait(20)


@tool(limit=one_at_a_time)
async def alone() -> None:
    await asyncio.Event().wait()


@tool(retry=Retry(on=ValueError, wait=20), effect="read")
async def failing() -> None:
    raise ValueError


@tool
async def nap() -> None:
    await asyncio.sleep(20)


@agent
async def outer(inner: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    await inner()


@agent
async def fans_out() -> None:
    await settle(nap() for _ in range(3))


@agent
async def scopes() -> None:
    async with scope() as block:
        block.start(nap())


@agent
async def holds() -> None:
    async with scope() as block:
        await block.start(nap())


@agent(timeout=30)
async def bounded() -> None:
    await asyncio.sleep(20)


@agent
async def pieces() -> AsyncIterator[int]:
    while True:
        await asyncio.sleep(20)
        yield 1


@agent
async def reads() -> None:
    async for _ in pieces():
        pass


@resource
async def slow_to_open() -> AsyncIterator[int]:
    await asyncio.sleep(20)
    yield 1


@agent
async def uses() -> None:
    await slow_to_open()


@agent
async def joins() -> None:
    await asyncio.create_task(asyncio.sleep(20))


@agent
async def gets() -> None:
    await asyncio.Queue[int]().get()


async def standing(*calls: Coroutine[Any, Any, Any], turns: float = 0.02) -> list[asyncio.Task[Any]]:
    """Start *calls* and let them come to where they wait."""
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(turns)
    return tasks


async def end(tasks: list[asyncio.Task[Any]]) -> None:
    released.set()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def seen(task: asyncio.Task[Any]) -> Glance:
    glance = glance_at(task)
    assert glance is not None
    return glance


@pytest.mark.parametrize(
    ("inner", "kind", "word"),
    [
        (block, "lane", ""),
        (block_longer, "lane", ""),
        (failing, "retry", ""),
        (nap, "sleep", ""),
        (fans_out, "children", ""),
        (scopes, "children", ""),
        (holds, "handle", ""),
        (bounded, "body", ""),
        (reads, "stream", ""),
        pytest.param(uses, "resource", "", marks=pytest.mark.leaves("tasks")),  # the opening is the runtime's to end
        (joins, "asyncio", ""),
        (gets, "asyncio", "Queue.get"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_what_the_innermost_call_waits_for_is_found(
    inner: Callable[[], Coroutine[Any, Any, Any]], kind: str, word: str
) -> None:
    tasks = await standing(outer.call(inner))
    glance = seen(tasks[0])
    assert [call.name for call in glance.calls] == ["outer", inner.__name__]
    assert (glance.wait.kind, glance.wait.word) == (kind, word)
    await end(tasks)


async def test_a_call_in_the_queue_of_a_limit_is_told_from_the_one_that_holds_it() -> None:
    tasks = await standing(outer.call(alone), outer.call(alone))
    first, second = (seen(task).wait for task in tasks)
    assert (first.kind, first.word) == ("asyncio", "Event.wait")
    assert second.kind == "limit"
    assert (second.what.taken, second.what.waiting) == (1, 1)
    assert second.since is not None
    assert 0 <= asyncio.get_running_loop().time() - second.since < 10
    await end(tasks)


async def test_a_stream_that_nobody_reads_on_waits_for_its_reader() -> None:
    @agent
    async def many() -> AsyncIterator[int]:
        for number in range(1000):
            yield number

    @agent
    async def reads_one() -> None:
        async with many() as numbers:
            async for _ in numbers:
                await asyncio.sleep(20)

    tasks = await standing(reads_one.call())
    waits = {glance.calls[-1].name: glance.wait for task in asyncio.all_tasks() if (glance := glance_at(task))}
    assert (waits["reads_one"].kind, waits["many"].kind) == ("sleep", "reader")
    assert len(waits["many"].what.pieces) == 16
    await end(tasks)


async def test_a_task_without_calls_has_none() -> None:
    tasks = await standing(asyncio.sleep(20))
    assert glance_at(tasks[0]) is None
    assert standings_of(tasks[0]) == []
    assert driver_of(tasks[0]) is None
    await end(tasks)


async def test_what_has_its_answer_is_ready_and_waits_for_nothing() -> None:
    event = asyncio.Event()

    @agent
    async def patient() -> None:
        await event.wait()

    tasks = await standing(patient.call())
    event.set()
    assert seen(tasks[0]).wait.kind == "ready"
    await asyncio.wait(tasks)


async def test_each_call_stands_on_its_own_line_under_its_own_deadlines() -> None:
    @agent
    async def inner() -> None:
        with fail_after(10):
            async with asyncio.timeout(5):
                await nap()

    @agent
    async def whole() -> None:
        with fail_after(20):
            await inner()

    async def main() -> None:
        with fail_after(40):
            await whole()

    tasks = await standing(main())
    found = standings_of(tasks[0])
    assert [each.frame.name for each in found] == ["whole", "inner", "nap"]
    assert [left(each) for each in found] == [[20, 40], [5, 10, 20, 40], [5, 10, 20, 40]]
    assert [each.spot.code.co_name for each in found if each.spot] == ["whole", "inner", "nap"]
    await end(tasks)


def left(standing: Standing) -> list[int]:
    return sorted(round(due.at - due.clock.time()) for due in standing.dues)


async def test_a_block_that_was_left_has_no_deadline_any_more() -> None:
    @agent
    async def went_on() -> None:
        with fail_after(10) as _bound:
            pass
        await asyncio.sleep(20)

    tasks = await standing(went_on.call())
    assert left(standings_of(tasks[0])[0]) == []
    await end(tasks)


async def test_a_scope_and_a_tool_bring_their_own_time_outs() -> None:
    @agent
    async def within() -> None:
        async with scope(timeout=10):
            await block_longer()

    tasks = await standing(within.call())
    whole, tool_call = standings_of(tasks[0])
    assert (left(whole), left(tool_call)) == ([10], [10, 30])
    await end(tasks)


async def test_whose_task_it_is_is_known() -> None:
    @agent
    async def family() -> None:
        async with scope() as block:
            block.start(nap())

    tasks = await standing(outer.call(nap), family())
    own = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and glance_at(task) is not None]
    drivers = {seen(task).calls[0].name: type(driver_of(task)).__name__ for task in own}
    assert drivers == {"outer": "Task", "family": "Task", "nap": "Running"} or drivers["family"] == "NoneType"
    await end(tasks)


async def test_looking_keeps_nothing_alive() -> None:
    class Precious:
        pass

    precious = Precious()
    known = weakref.ref(precious)

    @agent
    async def holder(thing: Any) -> None:
        await asyncio.sleep(0.02)
        del thing
        await asyncio.sleep(20)

    call = holder.call(precious)
    tasks = await standing(call, turns=0)
    del precious
    standings_of(tasks[0])
    call.args = ()
    await asyncio.sleep(0.05)
    gc.collect()
    assert known() is None
    await end(tasks)


ROOMS = (linecook._core, linecook.tools, linecook.agents)


def test_every_function_that_is_said_to_wait_exists() -> None:
    found = {code.co_qualname for package in ROOMS for code in codes_of(package)}
    assert chains.WAITS.keys() - found == set()


def codes_of(package: Any) -> Iterator[CodeType]:
    """Every function of the modules of *package*, methods and inner functions included."""
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        for thing in vars(importlib.import_module(module.name)).values():
            functions = [thing, *(vars(thing).values() if isinstance(thing, type) else ())]
            for function in functions:
                if isinstance(function, FunctionType):
                    yield from with_inner(function.__code__)


def with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from with_inner(constant)


async def test_a_call_that_nobody_has_begun_is_not_there() -> None:
    @agent
    async def waits(other: Frame) -> None:
        await asyncio.sleep(20)

    later = nap.call()
    tasks = await standing(waits.call(later))
    assert [call.name for call in seen(tasks[0]).calls] == ["waits"]
    later.close()
    await end(tasks)
