"""Race with fallback."""

import asyncio

import pytest

from linecook import fail_after
from linecook.patterns import race
from linecook.testing import VirtualClock


async def answer(text: str, after: float) -> str:
    await asyncio.sleep(after)
    if text == "error":
        raise ValueError
    return text


async def plain() -> str:
    return "plain"


async def test_the_first_success_wins(clock: VirtualClock) -> None:
    assert await race([answer("slow", 9), answer("error", 0), answer("quick", 1)], plain) == "quick"
    assert clock.time() == pytest.approx(1)


async def test_the_fallback_answers_when_all_have_failed() -> None:
    assert await race([answer("error", 0), answer("error", 0)], plain) == "plain"


async def test_the_fallback_answers_when_time_is_up(clock: VirtualClock) -> None:
    assert await race([answer("slow", 9)], plain, timeout=2) == "plain"
    assert clock.time() == pytest.approx(2)


async def test_a_deadline_around_it_is_not_taken_for_its_own(clock: VirtualClock) -> None:
    with pytest.raises(TimeoutError), fail_after(1):
        await race([answer("slow", 9)], plain, timeout=5)


async def test_when_the_fallback_fails_too_both_reasons_are_told() -> None:
    with pytest.raises(ValueError, match=r"^$") as caught:
        await race([answer("error", 0)], lambda: answer("error", 0))
    assert isinstance(caught.value.__context__, ExceptionGroup)
