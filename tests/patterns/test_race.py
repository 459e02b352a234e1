"""Race with fallback."""

import asyncio
from typing import Any

import pytest

from linecook import fail_after
from linecook.patterns import race
from linecook.testing import VirtualClock
from tests.testing.exploring.house import Kitchen, cancelled_sometime, in_every_order


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


async def two_run() -> None:
    kitchen = Kitchen()
    answer = await race([kitchen.burn("a"), kitchen.tidy("b"), kitchen.tidy("c")], lambda: kitchen.cook("plain"))
    assert answer in "bc"
    assert "plain" not in kitchen.begun
    assert kitchen.is_quiet()


async def all_may_be_late() -> None:
    kitchen = Kitchen()

    async def fallback() -> str:
        assert kitchen.is_quiet()  # it begins when nobody runs any more
        return await kitchen.cook("plain")

    answer = await race([kitchen.burn("a"), kitchen.tidy("b")], fallback, timeout=1)
    assert answer in ("b", "plain")
    assert ("plain" in kitchen.begun) == (answer == "plain")
    assert kitchen.is_quiet()


async def it_is_cancelled() -> None:
    kitchen = Kitchen()
    task = asyncio.create_task(race([kitchen.burn("a"), kitchen.burn("b")], lambda: kitchen.tidy("plain"), timeout=1))
    asked = await cancelled_sometime(task)
    assert task.cancelled() == asked
    assert asked or task.result() == "plain"
    assert kitchen.is_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("program", [two_run, all_may_be_late, it_is_cancelled])
def test_in_every_order_losers_are_seen_to_their_end_and_the_fallback_comes_last(program: Any) -> None:
    in_every_order(program)
