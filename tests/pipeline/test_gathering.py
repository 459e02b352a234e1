"""``batch`` and ``group``: nothing is lost in them, and what they hold has a bound."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from linecook import agent, fail_after, pipeline, tool
from linecook.errors import TimedOutError
from linecook.testing import VirtualClock


@agent
async def nothing(_number: int) -> list[int]:
    return []


@agent
async def for_ever(item: object) -> object:
    await asyncio.sleep(10**6)
    return item


async def test_a_batch_larger_than_the_buffers_fills_nevertheless() -> None:
    made = await pipeline([bytes(1000)] * 10, max_bytes=3000).batch(8).collect()
    assert [len(batch) for batch in made] == [8, 2]


async def test_batches_whose_time_comes_wait_for_room(clock: VirtualClock) -> None:
    read = 0

    async def numbers() -> AsyncIterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read
            await asyncio.sleep(1)

    async with pipeline(numbers()).batch(10, wait=1.5).map(for_ever, workers=1) as results:
        with pytest.raises(TimedOutError):
            with fail_after(3600):
                await anext(results)
        assert read <= 40


async def test_a_batch_that_waited_for_room_goes_on_with_what_has_come(clock: VirtualClock) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(9):
            yield number
            await asyncio.sleep(1)

    async def slow(batch: list[int]) -> list[int]:
        await asyncio.sleep(2)
        return batch

    made = await pipeline(numbers()).batch(4, wait=0.5).map(slow, workers=1, ordered=True).collect()
    assert [number for batch in made for number in batch] == list(range(9))


async def test_empty_wholes_are_under_back_pressure() -> None:
    read = 0

    def numbers() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    made = pipeline(numbers()).flat_map(nothing).map(str).group().map(for_ever)
    async with made as results:
        with pytest.raises(TimedOutError):
            with fail_after(0.1):
                await anext(results)
        assert read <= 1024


async def test_a_whole_that_broke_leads_nowhere_and_holds_up_nobody() -> None:
    @tool
    async def fragile(number: int) -> AsyncIterator[int]:
        yield number
        if number == 1:
            raise ValueError(number)

    made = pipeline([0, 1, 2]).flat_map(fragile, on_error="skip").group()
    assert sorted(await made.collect()) == [[0], [2]]
    assert [letter.origin for letter in made.dead_letters] == [1]


async def test_what_was_put_together_remembers_all_its_places() -> None:
    async def fails(_batch: list[int]) -> None:
        raise ValueError

    made = pipeline([10, 11, 12]).batch(2).map(fails, on_error="skip", ordered=True)
    assert await made.collect() == []
    assert [letter.origin for letter in made.dead_letters] == [(0, 1), (2,)]


async def test_a_piece_remembers_the_place_of_its_whole() -> None:
    async def twice(number: int) -> list[int]:
        return [number, number]

    async def fails(_number: int) -> None:
        raise ValueError

    made = pipeline([10, 11]).flat_map(twice, ordered=True).map(fails, on_error="skip").group()
    assert await made.collect() == [[], []]
    assert [letter.origin for letter in made.dead_letters] == [0, 0, 1, 1]


async def test_an_error_in_a_key_names_the_item() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        await pipeline([1, 0]).group(key=lambda number: 1 / number).collect()
    assert any("for item 1 of the pipeline's input" in note for note in caught.value.__notes__)
