"""``flat_map``: pieces go on as fast as there is room, and twice never."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import pytest

from linecook import fail_after, pipeline, tool
from linecook.errors import TimedOutError
from linecook.testing import VirtualClock


class Marked:
    """Kills the worker that makes pieces of 2, the first time."""

    def __init__(self, marks: Path) -> None:
        self.marks = str(marks)

    @tool(lane="process", effect="read")
    def pieces(self, number: int) -> list[int]:
        mark = Path(self.marks) / str(number)
        if number == 2 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [number] * number


@pytest.mark.slow
async def test_pieces_come_once_though_a_worker_died_over_them(tmp_path: Path) -> None:
    made = pipeline([1, 2, 3]).flat_map(Marked(tmp_path).pieces, ordered=True, workers=2)
    assert await made.collect() == [1, 2, 2, 3, 3, 3]


async def test_an_endless_generator_is_pulled_no_faster_than_its_pieces_are_read() -> None:
    made = 0

    @tool
    def numbers(_start: int) -> Iterator[int]:
        nonlocal made
        while True:
            made += 1
            yield made

    async with pipeline([0]).flat_map(numbers) as results:
        assert await anext(results) == 1
        before = 0
        while made > before:  # each piece comes by a thread, which a busy machine may hold up
            before = made
            await asyncio.sleep(0.05)
            assert made < 200


async def test_pieces_that_end_at_once_leave_the_loop_to_others() -> None:
    @tool
    async def many(_start: int) -> AsyncIterator[int]:
        for number in range(100_000):
            yield number

    longest, before = 0.0, monotonic()

    async def tick() -> None:
        nonlocal longest, before
        before = monotonic()
        while True:
            await asyncio.sleep(0)
            now = monotonic()
            longest, before = max(longest, now - before), now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    began = monotonic()
    assert len(await pipeline([0]).flat_map(many).collect()) == 100_000
    took = monotonic() - began
    ticking.cancel()
    assert longest < took / 3


async def test_pieces_already_sent_have_gone_on_when_the_making_of_others_fails() -> None:
    @tool
    async def fragile(number: int) -> AsyncIterator[int]:
        yield number
        raise ValueError(number)

    made = pipeline([1, 2]).flat_map(fragile, on_error="skip")
    assert sorted(await made.collect()) == [1, 2]
    assert [(letter.value, letter.stage) for letter in made.dead_letters] == [
        (1, "flat_map(fragile)"),
        (2, "flat_map(fragile)"),
    ]


async def test_replacements_are_pieces_too() -> None:
    async def fragile(number: int) -> list[float]:
        return [1 / number]

    made = pipeline([0, 1]).flat_map(fragile, ordered=True, on_error=lambda number, error: [-1.0, -2.0])
    assert await made.collect() == [-1.0, -2.0, 1.0]


async def test_a_text_is_not_taken_for_many_letters() -> None:
    async def word(_number: int) -> str:
        return "word"

    with pytest.raises(TypeError, match="must return a list or yield values, and returned str"):
        await pipeline([0]).flat_map(word).collect()


async def test_waiting_for_room_is_not_being_busy(clock: VirtualClock) -> None:
    async def pieces(number: int) -> list[int]:
        return [number] * 100

    async def slow(number: int) -> int:
        await asyncio.sleep(3600)
        return number

    async with pipeline(range(5)).flat_map(pieces).map(slow, workers=1) as results:
        with pytest.raises(TimedOutError):
            with fail_after(100):
                await anext(results)
        first, _ = results.statistics().stages
        assert first.busy < 0.1
        assert first.blocked > 0.9
