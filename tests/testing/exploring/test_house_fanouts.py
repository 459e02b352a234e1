"""Our own fan-outs, in every order: windows that hold, winners that are told, nobody left behind."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from linecook import Cancelled, Failed, Ok, TimedOut, as_completed, fail_after, first, gather, settle
from linecook.errors import TimedOutError, TooManyFailures
from linecook.testing import outside
from tests.testing.exploring.house import Kitchen, in_every_order


async def with_a_cancel(fan_out: Awaitable[Any]) -> tuple["asyncio.Task[Any]", bool]:
    """Run *fan_out*, and cancel it at some moment; return its task, ended, and whether it was there to be asked."""

    async def awaited() -> Any:
        return await fan_out

    task = asyncio.create_task(awaited())
    await outside("the cancel")
    asked = task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() == asked
    return task, asked


async def gather_in_a_window() -> None:
    kitchen = Kitchen(most=2)
    assert await gather((kitchen.cook(dish) for dish in "abc"), limit=2) == list("abc")
    assert kitchen.is_quiet()


async def gather_with_failures() -> None:
    kitchen = Kitchen(most=2)
    with pytest.raises(ValueError, match=r"b|d"):
        await gather([kitchen.cook("a"), kitchen.burn("b"), kitchen.tidy("c"), kitchen.burn("d")], limit=2)
    assert kitchen.is_quiet()


async def gather_of_a_few_with_failures() -> None:
    kitchen = Kitchen()
    with pytest.raises(ValueError, match=r"b|c"):
        await gather(kitchen.cook("a"), kitchen.burn("b"), kitchen.burn("c"))
    assert kitchen.is_quiet()


async def gather_cancelled() -> None:
    kitchen = Kitchen(most=2)
    task, asked = await with_a_cancel(gather((kitchen.cook(dish) for dish in "abc"), limit=2))
    assert asked or task.result() == list("abc")
    assert kitchen.is_quiet()


async def settle_with_a_deadline() -> None:
    kitchen = Kitchen(most=2)
    settled = await settle([kitchen.cook("a"), kitchen.burn("b"), kitchen.cook("c")], limit=2, timeout=1)
    for dish, outcome in zip("abc", settled, strict=True):
        assert outcome.value == dish if isinstance(outcome, Ok) else isinstance(outcome, (Failed, TimedOut, Cancelled))
    assert kitchen.is_quiet()


async def settle_cancelled() -> None:
    kitchen = Kitchen(most=2)
    task, asked = await with_a_cancel(settle((kitchen.cook(dish) for dish in "abc"), limit=2))
    assert asked or task.result().results == list("abc")
    assert kitchen.is_quiet()


async def settle_until_too_many_fail() -> None:
    kitchen = Kitchen(most=2)
    calls = [kitchen.burn("a"), kitchen.cook("b"), kitchen.burn("c"), kitchen.cook("d")]
    with pytest.raises(TooManyFailures):
        await settle(calls, limit=2, fail_on=2)
    assert kitchen.is_quiet()


async def as_completed_to_the_end() -> None:
    kitchen = Kitchen(most=2)
    done = list[str]()
    async with as_completed((kitchen.cook(dish) for dish in "abc"), limit=2) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, Ok)
            done.append(outcome.value)
    assert sorted(done) == list("abc")
    assert kitchen.is_quiet()


async def as_completed_left_early() -> None:
    kitchen = Kitchen(most=2)
    async with as_completed((kitchen.tidy(dish) for dish in "abc"), limit=2) as outcomes:
        async for _ in outcomes:
            break
    assert kitchen.is_quiet()


async def as_completed_left_by_an_error() -> None:
    kitchen = Kitchen(most=2)
    with pytest.raises(KeyError):
        async with as_completed((kitchen.cook(dish) for dish in "abc"), limit=2) as outcomes:
            async for _ in outcomes:
                await outside()
                raise KeyError
    assert kitchen.is_quiet()


async def as_completed_under_a_deadline() -> None:
    kitchen = Kitchen(most=2)
    seen = 0
    try:
        with fail_after(1):
            async with as_completed((kitchen.cook(dish) for dish in "abc"), limit=2) as outcomes:
                async for _ in outcomes:
                    seen += 1
    except TimedOutError:
        pass
    else:
        assert seen == 3
    assert kitchen.is_quiet()


async def first_of_two_winners() -> None:
    kitchen = Kitchen()
    assert await first(kitchen.cook("a"), kitchen.cook("b")) in "ab"
    assert kitchen.is_quiet()


async def first_with_a_loser_that_fails() -> None:
    kitchen = Kitchen()
    assert await first(kitchen.burn("a"), kitchen.tidy("b"), kitchen.cook("c")) in "bc"
    assert kitchen.is_quiet()


async def first_when_all_fail() -> None:
    kitchen = Kitchen()
    with pytest.raises(ExceptionGroup) as caught:
        await first(kitchen.burn("a"), kitchen.burn("b"))
    assert [str(error) for error in caught.value.exceptions] == ["a", "b"]
    assert kitchen.is_quiet()


async def first_cancelled() -> None:
    kitchen = Kitchen()
    task, asked = await with_a_cancel(first(kitchen.cook("a"), kitchen.cook("b")))
    assert asked or task.result() in "ab"
    assert kitchen.is_quiet()


async def first_under_a_deadline() -> None:
    kitchen = Kitchen()
    try:
        with fail_after(1):
            assert await first(kitchen.cook("a"), kitchen.cook("b")) in "ab"
    except TimedOutError:
        pass
    assert kitchen.is_quiet()


PROGRAMS = [
    gather_in_a_window, gather_with_failures, gather_of_a_few_with_failures, gather_cancelled, settle_with_a_deadline,
    settle_cancelled, settle_until_too_many_fail, as_completed_to_the_end, as_completed_left_early,
    as_completed_left_by_an_error, as_completed_under_a_deadline, first_of_two_winners, first_with_a_loser_that_fails,
    first_when_all_fail, first_cancelled, first_under_a_deadline,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_fan_out_keeps_its_word_in_every_order(program: Any) -> None:
    in_every_order(program)
