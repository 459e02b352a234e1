"""What gather, settle and first have in common: options looked at before anything begins, and reasons that travel."""

import asyncio
from typing import Any

import pytest

from linecook import agent, gather, settle
from linecook.errors import UsageError
from linecook.tools.collected import WINDOW, failures_allowed, is_iterable_form, unset


@agent
async def nap(seconds: float, answer: Any = None) -> Any:
    await asyncio.sleep(seconds)
    return answer


@pytest.mark.parametrize(
    ("asked", "length", "most"),
    [(None, 5, None), (1, 5, 1), (7, 5, 7), (0.5, 4, 2), (0.5, 5, 3), (0.1, 5, 1), (1.0, 5, 5), (0.5, 0, 1)],
)
def test_a_fraction_is_of_the_length_rounded_up(asked, length, most):
    assert failures_allowed(asked, ([None] * length,), "settle") == most


async def test_the_calls_learn_whose_deadline_it_was(clock):
    told: list[str] = []

    @agent
    async def listens() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError as error:
            told.append(str(error))
            raise

    @agent
    async def outer() -> None:
        await gather([listens(), listens()])

    await settle([outer()], timeout=1)
    assert told == ["deadline", "deadline"]


async def test_nothing_begins_when_an_option_is_wrong():
    ran = []

    @agent
    async def work() -> None:
        ran.append(1)

    for options in ({"timeout": -1}, {"grace": -1}, {"limit": 0}, {"fail_on": 0}):
        with pytest.raises(ValueError):
            await settle([work()], **options)
    with pytest.raises(UsageError):
        await gather(work(), work(), limit=2)
    await asyncio.sleep(0)
    assert not ran


async def test_one_iterable_and_calls_one_by_one_are_told_apart():
    call = nap(0)
    assert is_iterable_form(([],))
    assert not is_iterable_form((call,))
    assert not is_iterable_form((call, call))
    assert repr(unset) == str(WINDOW)
    call.close()
