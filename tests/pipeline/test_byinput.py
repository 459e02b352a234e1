"""``outcomes()``: every item of the source has one, whatever became of its pieces."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from linecook import Pipeline, Runtime, pipeline, tool
from linecook.errors import Interrupted, UsageError
from linecook.pipeline.byinput import InputOutcome


@tool
async def words(line: str) -> AsyncIterator[str]:
    for word in line.split():
        if word == "bad":
            raise ValueError(line)
        yield word


async def upper(word: str) -> str:
    if word == "worse":
        raise KeyError(word)
    return word.upper()


async def outcomes_of(made: Pipeline[str]) -> list[InputOutcome[str]]:
    async with made.outcomes() as outcomes:
        found = [outcome async for outcome in outcomes]
    return sorted(found, key=lambda outcome: outcome.index)


async def test_each_input_has_its_results() -> None:
    found = await outcomes_of(pipeline(["a b", "", "c"]).flat_map(words).map(upper))
    assert [(one.index, one.value, sorted(one.results), one.error) for one in found] == [
        (0, "a b", ["A", "B"], None), (1, "", [], None), (2, "c", ["C"], None),
    ]  # fmt: skip


@pytest.mark.parametrize("policy", ["raise", "skip"])
async def test_an_error_is_that_of_its_input_alone(policy: str) -> None:
    lines = ["a", "b bad c", "worse d", "e"]
    made = pipeline(lines).flat_map(words, on_error=policy).map(upper)  # type: ignore[call-overload]
    found = await outcomes_of(made)
    assert [type(one.error) for one in found] == [type(None), ValueError, KeyError, type(None)]
    assert [one.results for one in found] == [["A"], ["B"], ["D"], ["E"]]


async def test_pieces_that_a_stage_may_skip_are_no_error_of_their_input() -> None:
    (one,) = await outcomes_of(pipeline(["worse d"]).flat_map(words).map(upper, on_error="skip"))
    assert (one.results, one.error) == (["D"], None)


async def test_what_is_filtered_out_has_an_outcome_without_results() -> None:
    async def long(word: str) -> bool:
        return len(word) > 1

    found = await outcomes_of(pipeline(["a", "bb"]).filter(long))
    assert [one.results for one in found] == [[], ["bb"]]


async def test_groups_inside_are_results_as_they_are() -> None:
    made = pipeline(["a b", "c"]).flat_map(words, ordered=True).map(upper, ordered=True).group()
    async with made.outcomes() as outcomes:
        found = {one.value: one.results async for one in outcomes}
    assert found == {"a b": [["A", "B"]], "c": [["C"]]}


async def test_pieces_of_pieces_belong_to_the_input_too() -> None:
    async def letters(word: str) -> list[str]:
        return list(word)

    found = await outcomes_of(pipeline(["ab c", "d"]).flat_map(words).flat_map(letters))
    assert [sorted(one.results) for one in found] == [["a", "b", "c"], ["d"]]


async def test_an_outcome_comes_when_the_last_piece_is_through_and_not_before() -> None:
    release = asyncio.Event()

    async def hold(word: str) -> str:
        if word == "slow":
            await release.wait()
        return word

    async with pipeline(["slow a", "b"]).flat_map(words).map(hold).outcomes() as outcomes:
        assert (await anext(outcomes)).value == "b"
        release.set()
        assert sorted((await anext(outcomes)).results) == ["a", "slow"]


async def test_unread_outcomes_hold_the_source_up() -> None:
    read = 0

    async def lines() -> AsyncIterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "a"

    async with pipeline(lines()).map(upper, workers=2).outcomes() as outcomes:
        await anext(outcomes)
        await asyncio.sleep(0.01)
        assert read < 100


def test_stages_that_put_inputs_together_are_refused() -> None:
    with pytest.raises(UsageError, match=r"batch\(2\) puts several inputs together"):
        pipeline(["a"]).batch(2).outcomes()


async def test_a_drain_ends_it_with_an_outcome_for_all_that_was_inside() -> None:
    release = asyncio.Event()

    async def hold(number: int) -> int:
        await release.wait()
        return number

    seen: list[int] = []
    async with Runtime(stall=None) as runtime:
        with pytest.raises(Interrupted):
            async with pipeline(range(10**6)).map(hold, workers=3).outcomes() as outcomes:
                asyncio.get_running_loop().call_later(0.01, runtime.drain)
                asyncio.get_running_loop().call_later(0.02, release.set)
                async for outcome in outcomes:
                    seen += outcome.results
    assert sorted(seen) == list(range(len(seen)))
    assert len(seen) >= 3
