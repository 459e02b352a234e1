"""Hand-off."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from linecook import agent
from linecook.errors import Undecided, UsageError
from linecook.patterns import HandOff, hand_off

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
