"""Items are read lazily, on a thread of their own, as many as were asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from linecook.cli.reading.reader import BATCH_ITEMS, Reader


def take(given: Any) -> None: ...


@pytest.fixture
def piped() -> Iterator[list[int]]:
    """A pipe: its reading and its writing end."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


async def read(reader: Reader) -> list[Any]:
    return [item.args[0] async for batch in reader.batches() for item in batch]


async def test_more_items_than_a_batch_come_in_order(pantry: Any) -> None:
    many = BATCH_ITEMS * 3 + 7
    reader = pantry.reader(pantry.write("in.jsonl", "".join(f"{n}\n" for n in range(many))), take)
    assert await read(reader) == list(range(many))
    assert (reader.taken, reader.ended) == (many, True)


@pytest.mark.parametrize(
    ("name", "text"), [("in.jsonl", "1\n\n2\n3"), ("in.json", "[1, 2, 3]"), ("in.csv", "given\n1\n2\n3\n")]
)
async def test_the_items_of_a_file_can_be_counted(pantry: Any, name: str, text: str) -> None:
    reader = pantry.reader(pantry.write(name, text), take)
    told: list[int] = []
    reader.start_counting(told.append)
    assert reader.wait_total() == 3
    assert told == [3]
    assert len(await read(reader)) == 3


async def test_only_the_first_are_taken_and_counted(pantry: Any) -> None:
    reader = pantry.reader(pantry.write("in.jsonl", "1\n\n2\n3\n"), take, take=2)
    assert reader.wait_total() == 2
    assert await read(reader) == [1, 2]
    assert reader.ended


async def test_what_is_done_is_skipped_unread(pantry: Any) -> None:
    class Done:
        def has(self, number: int, digest: int) -> bool:
            return number != 2

    reader = pantry.reader(pantry.write("in.jsonl", "{oops\n2\n{oops\n"), take)
    reader._done = Done()
    assert await read(reader) == [2]
    assert (reader.taken, reader.skipped) == (3, 2)


async def test_a_pipe_hands_over_each_line_when_it_comes(pantry: Any, piped: list[int]) -> None:
    reader = pantry.reader("-", take, stdin=piped[0])
    assert not reader.source.has_length
    batches = reader.batches()
    os.write(piped[1], b"1\n2")
    assert [item.args for item in await anext(batches)] == [(1,)]
    os.write(piped[1], b"2\n")
    assert [item.args for item in await anext(batches)] == [(22,)]
    os.close(piped[1])
    with pytest.raises(StopAsyncIteration):
        await anext(batches)
    assert reader.ended


async def test_taking_one_of_a_pipe_ends_without_another(pantry: Any, piped: list[int]) -> None:
    reader = pantry.reader("-", take, stdin=piped[0], take=1)
    os.write(piped[1], b"1\n")
    assert await asyncio.wait_for(read(reader), 5) == [1]


async def test_stopping_ends_a_wait_for_a_pipe_that_says_nothing(pantry: Any, piped: list[int]) -> None:
    reader = pantry.reader("-", take, stdin=piped[0])
    asyncio.get_running_loop().call_later(0.02, reader.stop)
    assert await asyncio.wait_for(read(reader), 5) == []
    assert not reader.ended


async def test_an_input_that_breaks_off_gives_what_came_before(pantry: Any) -> None:
    path = pantry.write("in.jsonl.gz", b"".join(b"%d\n" % n for n in range(20_000)))
    os.truncate(path, os.path.getsize(path) - 4)
    reader = pantry.reader(path, take)
    assert len(await read(reader)) > 15_000
    assert not reader.ended
    assert reader.error == "its gzip data ends in the middle: the file is incomplete"
