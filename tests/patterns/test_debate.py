"""Debate with a judge."""

from collections.abc import Sequence
from typing import Any

import pytest

from linecook import agent
from linecook.patterns import debate
from tests.testing.exploring.house import Kitchen, in_every_order

Said = Sequence[Sequence[str]]


@agent
async def for_it(question: str, said: Said) -> str:
    return f"yes {len(said)}"


@agent
async def against_it(question: str, said: Said) -> str:
    return f"no to {said[-1][0]}" if said else "no"


@agent
async def judge(question: str, said: Said) -> list[list[str]]:
    return [list(each) for each in said]


async def test_each_hears_the_rounds_before_and_the_judge_hears_all() -> None:
    said = await debate("salt?", [for_it, against_it], judge, rounds=3)
    assert said == [["yes 0", "no"], ["yes 1", "no to yes 0"], ["yes 2", "no to yes 1"]]


async def test_without_rounds_the_judge_decides_alone() -> None:
    assert await debate("salt?", [for_it], judge, rounds=0) == []


async def test_a_debater_that_fails_ends_it() -> None:
    @agent
    async def mute(question: str, said: Said) -> str:
        raise ValueError("no voice")

    with pytest.raises(ValueError, match="no voice"):
        await debate("salt?", [for_it, mute], judge)


async def two_rounds() -> None:
    kitchen = Kitchen(most=2)

    async def speak(name: str, said: Sequence[Sequence[str]]) -> str:
        assert all(len(each) == 2 for each in said)
        answer = await kitchen.cook(f"{name}{len(said)}")
        assert len(kitchen.begun) % 2 == 0  # all of a round speak at once
        return answer

    said: Sequence[Sequence[str]] = await debate("?", [lambda _, s: speak("a", s), lambda _, s: speak("b", s)], hears)
    assert said == [["a0", "b0"], ["a1", "b1"]]
    assert sorted(kitchen.begun[:2]) == ["a0", "b0"]  # nobody speaks before all have spoken
    assert kitchen.is_quiet()


async def hears(question: str, said: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    return said


async def one_fails() -> None:
    kitchen = Kitchen()
    with pytest.raises(ValueError, match="b"):
        await debate("?", [lambda _, s: kitchen.tidy("a"), lambda _, s: kitchen.burn("b")], hears)
    assert "a" not in kitchen.begun[2:]
    assert kitchen.is_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("program", [two_rounds, one_fails])
def test_in_every_order_all_have_heard_the_rounds_before_and_a_failure_ends_all(program: Any) -> None:
    in_every_order(program)
