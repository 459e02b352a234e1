"""Debate with a judge."""

from collections.abc import Sequence

import pytest

from linecook import agent
from linecook.patterns import debate

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
