"""Where items go that are set aside: kept, given to a list or a function, told once each."""

import asyncio
from typing import Any

import pytest

from linecook import pipeline, tool
from linecook.errors import UsageError
from linecook.pipeline.dead_item import KEPT, DeadItem


async def fails(number: int) -> int:
    raise ValueError(number)


@tool
async def store(letter: DeadItem) -> None:
    pass


async def test_the_first_thousand_are_kept_and_all_are_counted() -> None:
    made = pipeline(range(KEPT + 10)).map(fails, on_error="skip")
    assert await made.collect() == []
    assert len(made.dead_letters) == KEPT
    statistics = made.statistics()
    assert statistics is not None
    assert statistics.dead == KEPT + 10


async def test_a_list_or_a_function_gets_each_once() -> None:
    kept: list[DeadItem] = []
    queue: asyncio.Queue[DeadItem] = asyncio.Queue()
    for sink in (kept, queue.put_nowait):
        made = pipeline([5, 6], dead_letters=sink).map(fails, on_error="skip", ordered=True)
        assert await made.collect() == []
        assert made.dead_letters == []
    assert sorted(letter.value for letter in kept) == [5, 6]
    assert queue.qsize() == 2


async def test_a_sink_that_raises_ends_the_pipeline_and_the_error_says_where() -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    async def refuses(_item: Unspeakable) -> None:
        raise ValueError

    def full(letter: DeadItem) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full") as caught:
        await pipeline([Unspeakable()], dead_letters=full).map(refuses, on_error="skip").collect()
    assert caught.value.__notes__ == ["raised by dead_letters= of the pipeline, for item 0, dead in map(refuses)"]


@pytest.mark.parametrize("sink", [store, fails])
def test_what_nobody_would_await_is_refused(sink: Any) -> None:
    """It was taken once, and every letter was lost with a warning."""
    with pytest.raises(UsageError, match="takes a list or a plain function"):
        pipeline([1], dead_letters=sink)


def test_what_is_no_sink_is_refused() -> None:
    with pytest.raises(TypeError, match=r"must be a list or a function of one letter, not 'log\.txt'"):
        pipeline([1], dead_letters="log.txt")
