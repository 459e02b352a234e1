"""Hand-off."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from linecook import agent
from linecook.errors import Undecided, UsageError
from linecook.patterns import HandOff, hand_off
from tests.testing.exploring.house import Kitchen, cancelled_sometime, in_every_order

Desk = Callable[[str], Coroutine[Any, Any, "str | HandOff[str]"]]


@agent
async def triage(request: str) -> str | HandOff[str]:
    return HandOff("billing" if "money" in request else "kitchen", request.upper())


@agent
async def billing(request: str) -> str | HandOff[str]:
    return f"paid back: {request}"


@agent
async def kitchen(request: str) -> str | HandOff[str]:
    return HandOff("triage", request)


DESKS: dict[str, Desk] = {"triage": triage, "billing": billing, "kitchen": kitchen}


async def test_the_last_desk_answers_what_it_was_handed() -> None:
    assert await hand_off(DESKS, "triage", "money back") == "paid back: MONEY BACK"
    assert await hand_off(DESKS, "billing", "x") == "paid back: x"


async def test_a_request_is_not_handed_round_for_ever() -> None:
    with pytest.raises(Undecided, match=r"4 times .*triage > kitchen > triage > kitchen > triage"):
        await hand_off(DESKS, "triage", "cold soup", most=4)


async def test_a_desk_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"'bar': there is no such desk; there are .'billing', 'kitchen', 'triage'"):
        await hand_off(DESKS, "bar", "x")


def test_in_every_order_one_desk_is_busy_at_a_time_and_a_cancelled_request_goes_no_further() -> None:
    async def main() -> None:
        kitchen = Kitchen(most=1)

        async def hands_on(request: str) -> str | HandOff[str]:
            return HandOff("b", await kitchen.tidy(f"a {request}"))

        async def answers(request: str) -> str | HandOff[str]:
            return await kitchen.tidy(f"b {request}")

        desks: dict[str, Desk] = {"a": hands_on, "b": answers}
        task = asyncio.create_task(hand_off(desks, "a", "soup"))
        asked = await cancelled_sometime(task)
        assert task.cancelled() == asked
        assert asked or task.result() == "b a soup"
        begun = list(kitchen.begun)
        await asyncio.sleep(1)
        assert kitchen.begun == begun
        assert kitchen.is_quiet()

    in_every_order(main)
