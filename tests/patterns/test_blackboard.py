"""Blackboard."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from linecook import Shared, agent, tool
from linecook.errors import Undecided, UsageError
from linecook.patterns import blackboard
from tests.testing.exploring.house import Kitchen, cancelled_sometime, in_every_order

Words = tuple[str, ...]
Expert = Callable[[Shared[Words]], Coroutine[Any, Any, None]]


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


def test_in_every_order_no_word_is_lost_and_the_experts_are_ended() -> None:
    async def main() -> None:
        kitchen = Kitchen()

        async def adds(board: Shared[Words], word: str) -> None:
            await kitchen.tidy(word)
            board.update(lambda words: (*words, word))

        async def answers(board: Shared[Words]) -> None:
            await board.wait_for(lambda words: {"leek", "salt"} <= {*words})
            board.update(lambda words: (*words, "soup"))

        async def goes_on(board: Shared[Words]) -> None:
            while True:
                await board.wait_for(lambda words: "cake" in words)

        experts: list[Expert] = [lambda board: adds(board, "leek"), answers, goes_on, lambda board: adds(board, "salt")]
        words = await blackboard((), experts, done=lambda words: "soup" in words)
        assert sorted(words[:2]) == ["leek", "salt"]
        assert words[2:] == ("soup",)
        assert kitchen.is_quiet()

    in_every_order(main)


@pytest.mark.slow
def test_in_every_order_what_is_cancelled_or_fails_ends_its_experts() -> None:
    async def main() -> None:
        kitchen = Kitchen()

        async def adds(board: Shared[Words]) -> None:
            board.update(lambda words: (*words, "salt"))
            await kitchen.tidy("salt")

        async def fails(board: Shared[Words]) -> None:
            await kitchen.burn("cake")

        task = asyncio.create_task(blackboard((), [adds, fails], done=lambda words: len(words) > 1))
        asked = await cancelled_sometime(task)
        assert task.cancelled() == asked
        assert asked or isinstance(task.exception(), ValueError)
        assert kitchen.is_quiet()

    in_every_order(main)
