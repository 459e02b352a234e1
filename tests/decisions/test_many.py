"""docs/decision-guide.md, "Many at once": gather, create_task, TaskGroup."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from linecook import Failed, Ok, Runtime, gather, scope, settle


async def fails() -> str:
    raise ValueError("no such city")


async def test_gather_leaves_the_siblings_of_a_failure_running() -> None:
    sent: list[str] = []

    async def send(to: str) -> None:
        await asyncio.sleep(0.01)
        sent.append(to)

    with pytest.raises(ValueError, match="no such city"):
        await asyncio.gather(fails(), send("ann"))
    assert sent == []
    await asyncio.sleep(0.05)
    assert sent == ["ann"]  # long after its gather has failed

    with pytest.raises(ValueError, match="no such city"):
        await gather(fails(), send("bob"))
    await asyncio.sleep(0.05)
    assert sent == ["ann"]  # linecook: cancelled, and seen to its end, before the failure is raised


async def test_gather_does_return_results_in_input_order() -> None:
    finished: list[int] = []

    async def number(n: int) -> int:
        await asyncio.sleep(0.02 if n == 0 else 0)
        finished.append(n)
        return n

    assert await asyncio.gather(number(0), number(1)) == [0, 1]
    assert await gather([number(0), number(1)]) == [0, 1]  # linecook: the same
    assert finished == [1, 0, 1, 0]  # only the order of finishing is open


async def test_return_exceptions_mixes_failures_with_answers() -> None:
    async def finds(error: Exception) -> Exception:
        return error  # an answer: somebody looked an error up

    found, failed = await asyncio.gather(finds(ValueError("found")), fails(), return_exceptions=True)
    assert type(found) is type(failed) is ValueError  # which of them is the failure?

    answer, problem = await settle(finds(ValueError("found")), fails())
    assert (type(answer), type(problem)) == (Ok, Failed)  # linecook: the kind says it


async def test_all_of_gathers_tasks_exist_at_once() -> None:
    alive: list[int] = []
    pulled = 0

    async def visit(n: int) -> int:
        alive.append(len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        return n

    places = asyncio.Semaphore(10)

    async def admitted(n: int) -> int:
        async with places:
            return await visit(n)

    await asyncio.gather(*(admitted(n) for n in range(500)))
    assert max(alive) >= 500  # the semaphore bounds who works, not what exists

    def visits() -> Iterator[Any]:
        nonlocal pulled
        for n in range(500):
            pulled += 1
            yield visit(n)

    alive.clear()
    assert await gather(visits(), limit=10) == list(range(500))
    assert max(alive) < 30  # linecook: a window; the input is pulled as places become free


async def test_a_task_without_a_reference_vanishes() -> None:
    waited_for: list[weakref.ref[asyncio.Future[str]]] = []
    arrived: list[str] = []

    async def wait_for_news() -> None:
        news = asyncio.get_running_loop().create_future()
        waited_for.append(weakref.ref(news))
        arrived.append(await news)

    async def tell(text: str) -> None:
        await asyncio.sleep(0)
        gc.collect()
        if (news := waited_for.pop()()) is not None:
            news.set_result(text)
        await asyncio.sleep(0.01)

    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
    asyncio.create_task(wait_for_news())
    await tell("lost")
    assert arrived == []  # collected as garbage, half-way
    assert said == ["Task was destroyed but it is pending!"]

    async with Runtime() as runtime:
        runtime.start(wait_for_news())
        await tell("kept")
    assert arrived == ["kept"]  # linecook: what was started is held until it has ended


async def test_the_error_of_a_forgotten_task_is_told_to_nobody() -> None:
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
    task = asyncio.create_task(fails())
    await asyncio.sleep(0.01)
    assert (task.done(), said) == (True, [])  # failed, and nobody knows, for as long as the task is held
    del task
    gc.collect()
    assert said == ["Task exception was never retrieved"]  # a line of log, from the garbage collector

    with pytest.raises(ValueError, match="no such city"):
        async with scope() as s:
            s.start(fails())  # linecook: leaving the block raises it


async def test_a_task_group_throws_away_what_succeeded() -> None:
    async def finds(city: str) -> str:
        return city

    with pytest.raises(ExceptionGroup):  # a group, even of one: `except ValueError` would not have caught it
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(finds("Lyon")), group.create_task(fails())]
            await asyncio.sleep(1)
    assert tasks[0].result() == "Lyon"  # there, but for whom? the block has raised

    settled = await settle([finds("Lyon"), fails()])
    assert settled.results == ["Lyon"]  # linecook: every call has its outcome
    assert [type(failure.error) for failure in settled.failures] == [ValueError]
    with pytest.raises(ValueError, match="no such city"):  # and who wants the first failure gets the error itself
        await gather(finds("Lyon"), fails())


async def test_a_task_group_waits_for_what_swallows_its_cancellation(caplog: pytest.LogCaptureFixture) -> None:
    released = asyncio.Event()

    async def stubborn() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                pass

    async def in_a_task_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stubborn())
            await asyncio.sleep(0)
            raise ValueError("stop")

    task = asyncio.create_task(in_a_task_group())
    assert await asyncio.wait([task], timeout=0.1) == (set(), {task})  # it hangs; a timeout around it would too
    released.set()
    with pytest.raises(ExceptionGroup):
        await task

    released.clear()
    with pytest.raises(ValueError, match="stop"):
        async with scope(grace=0.01) as s:
            s.start(stubborn())
            await asyncio.sleep(0)
            raise ValueError("stop")
    (left,) = s.abandoned
    assert left.name.endswith("stubborn")  # linecook: the block ended; what resists is listed ...
    async with asyncio.timeout(30):
        while "stubborn(...) was asked 3 times to end and runs on" not in caplog.text:
            await asyncio.sleep(0.01)  # ... and reported, with its line
    released.set()
