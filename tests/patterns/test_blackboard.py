"""Blackboard."""

import asyncio

import pytest

from linecook import Shared, agent, tool
from linecook.errors import Undecided, UsageError
from linecook.patterns import blackboard

Words = tuple[str, ...]


@agent
async def writes_soup(board: Shared[Words]) -> None:
    board.update(lambda words: (*words, "soup"))


@agent
async def adds_salt_to_soup(board: Shared[Words]) -> None:
    await board.wait_for(lambda words: "soup" in words)
    board.update(lambda words: (*words, "salt"))


@agent
async def waits_for_ever(board: Shared[Words]) -> None:
    await board.wait_for(lambda words: "cake" in words)


def is_salted(words: Words) -> bool:
    return "salt" in words


async def test_each_adds_when_it_can_until_it_is_done() -> None:
    experts = [waits_for_ever, adds_salt_to_soup, writes_soup]
    assert await blackboard((), experts, done=is_salted) == ("soup", "salt")


async def test_experts_that_all_return_without_an_answer_are_told_from_a_hang() -> None:
    with pytest.raises(Undecided):
        await blackboard((), [writes_soup], done=is_salted)


async def test_the_last_word_of_the_last_expert_counts() -> None:
    assert await blackboard((), [writes_soup], done=lambda words: words == ("soup",)) == ("soup",)


async def test_what_is_done_from_the_start_needs_nobody() -> None:
    assert await blackboard(("salt",), [waits_for_ever], done=is_salted) == ("salt",)


async def test_an_expert_that_fails_ends_it() -> None:
    @agent
    async def drops_the_chalk(board: Shared[Words]) -> None:
        raise ValueError("no chalk")

    with pytest.raises(ValueError, match="no chalk"):
        await blackboard((), [waits_for_ever, drops_the_chalk], done=is_salted)


async def test_many_writers_lose_no_update() -> None:
    async def count(board: Shared[int]) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
            board.update(lambda number: number + 1)

    assert await blackboard(0, [count] * 20, done=lambda number: number == 1000) == 1000


async def test_an_expert_may_work_on_a_thread() -> None:
    @tool
    def adds_salt(board: Shared[Words]) -> None:
        board.update(lambda words: (*words, "salt"))

    assert await blackboard((), [adds_salt], done=is_salted) == ("salt",)


async def test_what_could_be_changed_in_place_is_refused() -> None:
    with pytest.raises(UsageError, match="board"):
        await blackboard(["soup"], [], done=bool)
