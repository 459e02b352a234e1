"""Tokens survive the way through text, and damaged ones are refused."""

import pytest

from linecook.testing import explore, outside, replay
from linecook.testing.exploring.telling.token import Recipe, first_difference, read_token, write_token


def test_a_token_reads_as_it_was_written() -> None:
    recipe = Recipe(
        (("0.1:3", "0.2/0"), ("-0.1/0", "0.2/1!raise")), ("0", "0.1", "0.1", "0"), {"tier": "stock", "seed": 3}
    )
    token = write_token(recipe)
    assert token.isprintable()
    assert read_token(token) == recipe


@pytest.mark.parametrize("token", ["", "lc1.", "lc1.AAAA", "other", "lc1.eNqLjo7V"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(TypeError, match="no token of explore"):
        read_token(token)


def test_the_first_step_that_differs_is_named() -> None:
    assert (
        first_difference(["0", "0.1"], ["0", "0.2"]) == "step 2 is one of task 0.2, where the token has one of task 0.1"
    )
    assert first_difference(["0"], ["0", "0.1"]) == "the program makes 2 steps, where the token has 1"


def test_a_decision_is_kept_by_name_so_a_step_more_elsewhere_does_no_harm() -> None:
    import asyncio

    def program(extra: int) -> object:
        async def main() -> None:
            ended = list[str]()

            async def agent(name: str, rounds: int) -> None:
                for _ in range(rounds):
                    await outside()
                ended.append(name)

            for _ in range(extra):
                await asyncio.sleep(0)
            await asyncio.gather(agent("first", 1), agent("second", 2))
            assert ended == ["first", "second"]

        return main

    failure = explore(program(0)).failure  # type: ignore[arg-type]
    assert failure is not None
    again = replay(program(3), failure.token)  # type: ignore[arg-type]
    assert again.failure is not None
