"""The loop: asyncio's queue as it is, asyncio's own primitives unchanged, tasks that begin at once, no real things."""

import asyncio
import contextvars
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from linecook.testing import explore, outside
from linecook.testing.exploring.mistakes import EscapedControl


async def test_its_tests_are_run_outside_of_a_loop() -> None:
    with pytest.raises(TypeError, match="can't be called inside a running one"):
        explore(lambda: outside(1))


def test_callbacks_and_steps_keep_the_order_in_which_they_were_queued() -> None:
    async def main() -> None:
        seen = list[str]()

        async def child() -> None:
            seen.append("child")

        task = asyncio.create_task(child())
        asyncio.get_running_loop().call_soon(seen.append, "callback")
        await asyncio.gather(outside(), outside())
        assert seen == ["child", "callback"]
        await task

    explore(main).check()


def test_asyncios_own_primitives_run_unchanged() -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        ready, changed, places = asyncio.Event(), asyncio.Condition(), asyncio.Semaphore(1)

        async def put() -> None:
            for number in range(3):
                await queue.put(await outside(number))
            async with changed:
                ready.set()
                changed.notify_all()

        async def get() -> list[int]:
            async with places:
                found = [await asyncio.wait_for(queue.get(), 60) for _ in range(3)]
            async with changed:
                await changed.wait_for(ready.is_set)
            return found

        async with asyncio.TaskGroup() as group:
            group.create_task(put())
            found = group.create_task(get())
        assert found.result() == [0, 1, 2]
        assert [await each for each in asyncio.as_completed([outside(1)])] == [1]
        done, _ = await asyncio.wait([asyncio.ensure_future(outside(2))])
        assert [task.result() for task in done] == [2]
        assert await asyncio.shield(outside(3)) == 3

    found = explore(main, schedules=300, overtakings=1)
    # Every answer can be later than a minute: then wait_for gives up, and that is right.
    assert found.failure is None or isinstance(found.failure.error, (TimeoutError, ExceptionGroup))


def test_context_variables_are_each_tasks_own() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("number", default=0)

    async def child(number: int) -> None:
        variable.set(number)
        await outside()
        assert variable.get() == number

    async def main() -> None:
        await asyncio.gather(child(1), child(2))
        assert variable.get() == 0

    explore(main).check()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks_begin_in_the_step_that_makes_them() -> None:
    async def main() -> None:
        began = list[str]()

        async def child() -> None:
            began.append(asyncio.current_task().get_name())  # type: ignore[union-attr]
            await outside()

        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(child())
        assert len(began) == 1
        await task

    explore(main).check()


def test_an_async_generator_that_is_dropped_is_closed_by_the_loop() -> None:
    closed = list[int]()

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            await outside()
            closed.append(1)

    async def main() -> None:
        closed.clear()
        async for _ in numbers():
            break
        await asyncio.sleep(1)
        await asyncio.sleep(1)

    def invariant(_: object) -> bool:
        return True

    assert explore(main, invariant=invariant, schedules=5).failure is None
    assert closed == [1]


def test_an_exception_in_a_callback_is_a_failure_and_a_handler_of_the_programs_own_is_asked_first() -> None:
    async def loud() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    async def handled() -> None:
        told = list[dict[str, Any]]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        await loud()
        assert isinstance(told[0]["exception"], ZeroDivisionError)

    failure = explore(loud).failure
    assert failure is not None
    assert failure.kind == "exception"
    assert "ZeroDivisionError" in failure.message
    explore(handled).check()


def test_a_real_connection_is_an_error_that_names_the_call() -> None:
    async def main() -> None:
        try:
            await asyncio.open_connection("example.com", 80)
        except Exception:
            pass  # the program can't hide it

    with pytest.raises(EscapedControl, match=r"loop\.create_connection\(\).*outside"):
        explore(main)


def test_call_soon_threadsafe_from_a_thread_out_of_control_is_refused() -> None:
    async def main() -> None:
        await outside()

    explore(main).check()


def test_a_program_of_too_many_steps_hangs_and_the_bound_can_be_raised() -> None:
    async def main() -> None:
        for _ in range(2_000):
            await asyncio.sleep(0)

    failure = explore(main, steps=1_000).failure
    assert failure is not None
    assert failure.kind == "hang"
    assert "1,001 steps; steps= allows more" in failure.message
    explore(main, steps=10_000).check()
