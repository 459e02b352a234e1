"""Programs of every sort that asyncio and linecook allow, right and wrong ones, each looked at in some schedules."""

import asyncio
import contextvars
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

import linecook
from linecook.testing import explore, outside, replay

Main = Callable[[], Awaitable[None]]
RIGHT: list[Main] = []
WRONG: list[tuple[Main, str, int]] = []  # with the kind of failure, and the fewest overtakings


def right(main: Main) -> Main:
    RIGHT.append(main)
    return main


def wrong(kind: str, overtakings: int = 0) -> Callable[[Main], Main]:
    def keep(main: Main) -> Main:
        WRONG.append((main, kind, overtakings))
        return main

    return keep


def name_of(program: object) -> str:
    return getattr(program, "__name__", str(program))


@pytest.mark.parametrize("main", RIGHT, ids=name_of)
def test_nothing_is_found_in_a_program_that_is_right(main):
    assert explore(main, schedules=40).check().schedules > 0


@pytest.mark.parametrize(("main", "kind", "overtakings"), WRONG, ids=name_of)
def test_what_is_wrong_is_found_and_shown_again(main, kind, overtakings):
    failure = explore(main, schedules=60).failure
    assert failure is not None
    assert (failure.kind, failure.overtakings) == (kind, overtakings)
    assert failure.label == "shown on the stock loop"
    again = replay(main, failure.token).failure
    assert again is not None
    assert again.message == failure.message


# -- queues, barriers, conditions, events ----------------------------------------------------------------------------


@right
async def workers_at_a_queue_are_cancelled_when_it_is_joined():
    queue, done = asyncio.Queue[int](2), list[int]()

    async def work():
        while True:
            number = await queue.get()
            try:
                await outside()
                done.append(number)
            finally:
                queue.task_done()

    workers = [asyncio.create_task(work()) for _ in range(2)]
    for number in range(3):
        await outside()
        await queue.put(number)
    await queue.join()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(done) == [0, 1, 2]


@wrong("exception")
async def a_queue_is_taken_to_hold_things_in_the_order_in_which_they_were_asked_for():
    queue = asyncio.Queue[int]()

    async def ask(number):
        await outside()
        queue.put_nowait(number)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(ask(number))
    assert [queue.get_nowait() for _ in range(3)] == [0, 1, 2]


@right
async def a_barrier_lets_nobody_go_on_before_all_are_there():
    barrier, there = asyncio.Barrier(3), list[int]()

    async def guest(number):
        await outside()
        there.append(number)
        await barrier.wait()
        assert len(there) == 3

    await asyncio.gather(*(guest(number) for number in range(3)))


@wrong("deadlock")
async def two_things_are_ready_and_one_of_two_waiters_is_told():
    condition, plates = asyncio.Condition(), list[int]()

    async def eat():
        async with condition:
            while not plates:
                await condition.wait()
            await outside()
            plates.pop()

    async def cook():
        await outside()
        async with condition:
            plates.extend([1, 2])
            condition.notify()

    await asyncio.gather(eat(), eat(), cook())


@wrong("exception", overtakings=1)
async def what_an_event_told_is_over_when_the_waiter_runs():
    event, course = asyncio.Event(), [0]

    async def waits():
        await event.wait()
        assert course[0] == 1

    async def serves():
        await outside()
        course[0] = 1
        event.set()

    async def clears():
        await outside()
        course[0] = 2

    await asyncio.gather(waits(), serves(), clears())


# -- tasks -----------------------------------------------------------------------------------------------------------


@right
async def a_shielded_save_is_awaited_after_its_time_is_over():
    saved = list[int]()

    async def save():
        await outside()
        saved.append(1)

    task = asyncio.create_task(save())
    try:
        async with asyncio.timeout(1):
            await asyncio.shield(task)
    except TimeoutError:
        await task
    assert saved


@right
async def each_task_has_context_variables_of_its_own():
    variable = contextvars.ContextVar("variable", default=0)

    async def work(number):
        variable.set(number)
        await outside()
        assert variable.get() == number

    await asyncio.gather(*(work(number) for number in range(4)))
    assert variable.get() == 0


@right
async def a_generator_yields_what_comes_from_outside():
    async def pages():
        for number in range(3):
            yield await outside(number)

    assert [page async for page in pages()] == [0, 1, 2]


@right
async def tasks_begin_at_once():
    if sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

    async def work(number):
        await outside()
        return number

    assert await asyncio.gather(work(1), work(2)) == [1, 2]


@wrong("exception")
async def what_a_sibling_does_is_counted_on_after_gather_has_failed():
    log = list[int]()

    async def notes():
        await outside()
        log.append(1)

    async def fails():
        await outside()
        raise ValueError("soup")

    try:
        await asyncio.gather(notes(), fails())
    except ValueError:
        assert log


# -- linecook --------------------------------------------------------------------------------------------------------


@linecook.tool
async def page(number: int) -> int:
    await outside()
    return number


@linecook.tool(limit=2, effect="read", retry=linecook.Retry(on=ConnectionError, attempts=3))
async def fails_once(tried: list[int]) -> int:
    tried.append(1)
    await outside()
    if len(tried) == 1:
        raise ConnectionError
    return len(tried)


@right
async def a_limited_tool_is_tried_again():
    tried = list[int]()
    async with linecook.Runtime():
        await linecook.gather([fails_once(tried), fails_once(tried)])
    assert 2 <= len(tried) <= 4


@linecook.tool
def sleeps(number: int) -> int:
    time.sleep(1)
    return number


@right
async def tools_on_threads_come_through_a_window():
    async with linecook.Runtime():
        assert await linecook.gather((sleeps(number) for number in range(3)), limit=2) == [0, 1, 2]


@right
async def the_first_of_two_beside_a_call_in_the_background():
    async with linecook.Runtime(), linecook.scope() as scope:
        handle = scope.start(page(1))
        assert await linecook.first(page(2), page(3)) in (2, 3)
        assert await handle == 1


@right
async def outcomes_are_taken_as_they_come():
    seen = list[int]()
    async with linecook.Runtime(), linecook.as_completed(page(number) for number in range(3)) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, linecook.Ok)
            seen.append(outcome.value)
    assert sorted(seen) == [0, 1, 2]


@wrong("exception")
async def every_call_is_taken_to_be_in_time():
    @linecook.tool(timeout=1)
    async def ask(number: int) -> int:
        return await outside(number)

    async with linecook.Runtime():
        assert (await linecook.settle(ask(number) for number in range(2))).results == [0, 1]


@right
async def a_limit_of_calls_a_second():
    limit = linecook.Limit(per_second=2)

    @linecook.tool(limit=limit)
    async def ask(number: int) -> int:
        return await outside(number)

    async with linecook.Runtime():
        assert await linecook.gather(ask(number) for number in range(4)) == [0, 1, 2, 3]


@right
async def a_budget_that_is_large_enough():
    @linecook.tool
    async def ask(number: int) -> int:
        await outside()
        linecook.charge(usd=0.1)
        return number

    async with linecook.Runtime():
        with linecook.budget(usd=1.0):
            assert await linecook.gather(ask(number) for number in range(3)) == [0, 1, 2]


@linecook.tool
async def lines(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield await outside(number)


@linecook.tool
def words(count: int) -> Iterator[int]:
    yield from range(count)


@right
async def streams_of_both_sorts():
    async with linecook.Runtime():
        assert [line async for line in lines(3)] == [0, 1, 2]
        assert [word async for word in words(3)] == [0, 1, 2]


@right
async def a_resource_of_each_thread():
    @linecook.resource(per="thread")
    def connection() -> Iterator[object]:
        yield object()

    @linecook.tool
    def use() -> bool:
        return connection() is connection()

    async with linecook.Runtime():
        assert await linecook.gather([use(), use()]) == [True, True]


# -- threads ---------------------------------------------------------------------------------------------------------


@right
async def a_condition_of_two_threads():
    condition, plates = threading.Condition(), list[int]()

    def eat():
        with condition:
            while not plates:
                condition.wait()
            return plates.pop()

    def cook():
        with condition:
            plates.append(1)
            condition.notify()

    assert (await asyncio.gather(asyncio.to_thread(eat), asyncio.to_thread(cook)))[0] == 1


@wrong("deadlock")
async def a_thread_waits_for_what_its_caller_holds():
    loop, lock = asyncio.get_running_loop(), asyncio.Lock()
    await lock.acquire()

    def take():
        return asyncio.run_coroutine_threadsafe(lock.acquire(), loop).result()

    await asyncio.to_thread(take)
