"""Our own scopes, in every order: nothing outlives them, and no cancellation of anybody is lost."""

import asyncio
from typing import Any

import pytest

from linecook import Cancelled, Ok, fail_after, move_on_after, scope
from linecook.errors import TimedOutError
from linecook.testing import outside
from tests.testing.exploring.house import Kitchen, in_every_order


async def cancelled_from_outside(task: "asyncio.Task[Any]") -> bool:
    """Cancel *task* at some moment; return whether it was still there to be asked, after it has ended."""
    await outside("the cancel")
    asked = task.cancel()
    await asyncio.wait([task])
    return asked


async def nested() -> None:
    kitchen = Kitchen()
    async with scope() as outer:
        soup = outer.start(kitchen.cook("soup"))
        async with scope() as inner:
            roast = inner.start(kitchen.cook("roast"))
        assert roast.done
        pie = outer.start(kitchen.cook("pie"))
    assert soup.done
    assert pie.done
    assert kitchen.is_quiet()
    assert await soup == "soup"


async def inner_fails() -> None:
    kitchen = Kitchen()
    with pytest.raises(ValueError, match=r"soup|roast"):
        async with scope() as outer:
            outer.start(kitchen.tidy("soup"))
            async with scope() as inner:
                inner.start(kitchen.burn("roast"))
                inner.start(kitchen.tidy("pie"))
    assert kitchen.is_quiet()


async def cancelled_and_late() -> None:
    kitchen = Kitchen()

    async def bounded() -> None:
        async with scope(timeout=1) as s:
            s.start(kitchen.cook("soup"))

    task = asyncio.create_task(bounded())
    asked = await cancelled_from_outside(task)
    assert kitchen.is_quiet()
    assert task.cancelled() or not asked or isinstance(task.exception(), TimedOutError)


async def cancelled_inside_move_on_after() -> None:
    kitchen = Kitchen()

    async def bounded() -> None:
        with move_on_after(1):
            async with scope() as s:
                s.start(kitchen.cook("soup"))
        await asyncio.sleep(0)  # where a cancellation that came too late for the block has to show

    task = asyncio.create_task(bounded())
    asked = await cancelled_from_outside(task)
    assert kitchen.is_quiet()
    assert task.cancelled() == asked


async def cancelled_while_a_call_fails() -> None:
    kitchen = Kitchen()

    async def ours() -> None:
        async with scope() as s:
            s.start(kitchen.burn("soup"))
            s.start(kitchen.tidy("roast"))

    task = asyncio.create_task(ours())
    asked = await cancelled_from_outside(task)
    assert kitchen.is_quiet()
    assert task.cancelled() == asked  # also when it comes while the failure is cleaned up after
    assert asked or isinstance(task.exception(), ValueError)


async def cancelled_while_the_block_fails() -> None:
    kitchen = Kitchen()

    async def ours() -> None:
        async with scope() as s:
            s.start(kitchen.tidy("soup"))
            await outside()
            raise ValueError

    task = asyncio.create_task(ours())
    asked = await cancelled_from_outside(task)
    assert kitchen.is_quiet()
    assert task.cancelled() == asked
    assert asked or isinstance(task.exception(), ValueError)


async def late_while_a_call_fails() -> None:
    kitchen = Kitchen()
    try:
        with fail_after(1):
            async with scope() as s:
                s.start(kitchen.burn("soup"))
                s.start(kitchen.tidy("roast"))
    except (ValueError, TimedOutError):
        pass
    else:
        raise AssertionError("neither the failure nor the deadline was heard")
    assert kitchen.is_quiet()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def fails_while_another_starts() -> None:
    kitchen = Kitchen()
    with pytest.raises(ValueError, match="soup"):
        async with scope() as s:
            s.start(kitchen.burn("soup"))
            await outside()
            s.start(kitchen.cook("roast"))
            await kitchen.cook("pie")
    assert kitchen.is_quiet()


async def two_fail() -> None:
    kitchen = Kitchen()
    with pytest.raises(ValueError, match=r"soup|roast"):
        async with scope() as s:
            s.start(kitchen.burn("soup"))
            s.start(kitchen.burn("roast"))
            s.start(kitchen.cook("pie"))
    assert kitchen.is_quiet()


async def cancelled_by_its_handle() -> None:
    kitchen = Kitchen()
    async with scope() as s:
        soup = s.start(kitchen.cook("soup"))
        await outside()
        soup.cancel()
    assert isinstance(soup.outcome, (Ok, Cancelled))
    assert kitchen.is_quiet()


async def started_by_a_call() -> None:
    kitchen = Kitchen()

    async with scope() as s:

        async def cook_and_start() -> None:
            await kitchen.cook("soup")
            s.start(kitchen.cook("roast"))

        s.start(cook_and_start())
        s.start(kitchen.cook("pie"))
    assert sorted(kitchen.begun) == ["pie", "roast", "soup"]
    assert kitchen.is_quiet()


async def cancelled_twice() -> None:
    kitchen = Kitchen()

    async def ours() -> None:
        async with scope() as s:
            s.start(kitchen.tidy("soup"))

    task = asyncio.create_task(ours())
    asked = await asyncio.gather(cancelled_from_outside(task), cancelled_from_outside(task))
    assert kitchen.is_quiet()
    assert task.cancelled() == any(asked)


async def waited_for_by_two() -> None:
    kitchen = Kitchen()
    async with scope() as s:
        soup = s.start(kitchen.cook("soup"))

        async def wait() -> str:
            return await soup

        waiting = [asyncio.create_task(wait()) for _ in range(2)]
        await outside()
        waiting[0].cancel()
        await asyncio.wait(waiting)
        assert waiting[1].result() == "soup"


PROGRAMS = [
    nested, inner_fails, cancelled_and_late, cancelled_inside_move_on_after, cancelled_while_a_call_fails,
    cancelled_while_the_block_fails, late_while_a_call_fails, fails_while_another_starts, two_fail,
    cancelled_by_its_handle, started_by_a_call, cancelled_twice, waited_for_by_two,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_scope_keeps_its_word_in_every_order(program: Any) -> None:
    in_every_order(program)
