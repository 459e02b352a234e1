"""Best of n within a budget."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from linecook import agent, charge, tool
from linecook.errors import BudgetExceeded, TimedOutError, UsageError
from linecook.patterns import best_of
from linecook.testing import VirtualClock
from tests.testing.exploring.house import Kitchen, in_every_order


@pytest.fixture
def qualities() -> Iterator[int]:
    return iter([3, 9, 5, 9, 1])


@tool
async def cook(quality: int) -> tuple[int, str]:
    charge(usd=1)
    if quality == 5:
        raise ValueError("burnt")
    return quality, f"dish of {quality}"


def quality_of(dish: tuple[int, str]) -> float:
    return dish[0]


async def test_the_best_is_returned_and_failures_only_leave_fewer(qualities: Iterator[int]) -> None:
    assert await best_of(lambda: cook(next(qualities)), 5, score=quality_of) == (9, "dish of 9")


async def test_no_attempt_begins_once_the_money_is_spent(qualities: Iterator[int]) -> None:
    assert await best_of(lambda: cook(next(qualities)), 5, score=quality_of, usd=1, limit=1) == (3, "dish of 3")


async def test_what_is_there_in_time_counts(clock: VirtualClock) -> None:
    @agent
    async def slow(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    seconds = iter([1.0, 2.0, 50.0])
    assert await best_of(lambda: slow(next(seconds)), 3, score=float, timeout=10) == 2.0
    with pytest.raises(ExceptionGroup) as caught:
        await best_of(lambda: slow(50.0), 2, score=float, timeout=10)
    assert [type(error) for error in caught.value.exceptions] == [TimedOutError, TimedOutError]


async def test_without_any_success_the_reason_is_raised() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await best_of(lambda: cook(5), 2, score=quality_of)
    assert [str(error) for error in caught.value.exceptions] == ["burnt", "burnt"]
    with pytest.raises(ExceptionGroup) as caught:
        await best_of(lambda: cook(5), 1, score=quality_of, usd=0)
    assert isinstance(caught.value.exceptions[0], BudgetExceeded)


async def test_none_at_all_are_too_few() -> None:
    with pytest.raises(UsageError, match="n=0"):
        await best_of(lambda: cook(1), 0, score=quality_of)


async def within_its_budget() -> None:
    kitchen, paid = Kitchen(most=2), list[int]()
    qualities = iter([1, 3, 2])

    @tool
    async def attempt(quality: int) -> int:
        await kitchen.tidy(str(quality))
        charge(usd=1)
        paid.append(quality)
        return quality

    best = await best_of(lambda: attempt(next(qualities)), 3, score=float, usd=2, limit=2)
    assert best == max(paid)
    assert 2 <= len(paid) <= 3  # what was under way when the money was spent may end
    assert kitchen.is_quiet()


async def in_time_or_with_what_is_there() -> None:
    kitchen = Kitchen()
    qualities = iter("132")

    async def attempt(quality: str) -> str:
        return await (kitchen.burn(quality) if quality == "3" else kitchen.tidy(quality))

    try:
        best = await best_of(lambda: attempt(next(qualities)), 3, score=float, timeout=1)
    except* (ValueError, TimedOutError):
        pass  # that, and nothing else
    else:
        assert best in "12"
    assert kitchen.is_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("program", [within_its_budget, in_time_or_with_what_is_there])
def test_in_every_order_the_best_of_what_was_made_is_returned_and_nothing_goes_on(program: Any) -> None:
    in_every_order(program)
