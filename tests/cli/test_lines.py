"""Lines are read lazily, on a thread of their own, and each says what is wrong with it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.exits import BadUsage
from linecook.cli.lines import BATCH_LINES, Line, LineReader, parse


async def read(reader: LineReader) -> list[Line]:
    return [line async for line in reader.lines()]


def given(lines: list[Line]) -> list[Any]:
    return [line.given for line in lines]


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make standard input a pipe; yields its writing end."""
    ours, theirs = os.pipe()
    saved = os.dup(0)
    os.dup2(ours, 0)
    os.close(ours)
    yield theirs
    os.dup2(saved, 0)
    os.close(saved)
    try:
        os.close(theirs)
    except OSError:
        pass


async def test_blank_lines_are_no_items_but_count_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'\xef\xbb\xbf1\r\n\n  \n{"a": 2}\n[3]')
    lines = await read(LineReader(str(path)))
    assert [(line.number, line.given) for line in lines] == [(1, 1), (4, {"a": 2}), (5, [3])]


async def test_the_items_of_a_file_can_be_counted_and_those_of_a_pipe_cannot(tmp_path: Path, piped: int) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("1\n\n2\n3")
    reader = LineReader(str(path))
    assert reader.has_length
    told: list[int] = []
    reader.start_counting(told.append)
    assert reader.wait_total() == 3
    assert told == [3]
    assert len(await read(reader)) == 3
    assert reader.ended
    assert not LineReader("-").has_length


async def test_more_lines_than_a_batch_come_in_order(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    many = BATCH_LINES * 3 + 7
    path.write_text("".join(f"{n}\n" for n in range(many)))
    assert given(await read(LineReader(str(path)))) == list(range(many))


async def test_a_line_longer_than_any_buffer_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('"' + "x" * 1_000_000 + '"\n2\n')
    lines = await read(LineReader(str(path)))
    assert [len(lines[0].given), lines[1].given] == [1_000_000, 2]


async def test_a_pipe_hands_over_each_line_when_it_comes(piped: int) -> None:
    lines = LineReader("-").lines()
    os.write(piped, b"1\n2")
    assert (await anext(lines)).given == 1
    os.write(piped, b"2\n")
    assert (await anext(lines)).given == 22
    os.close(piped)
    with pytest.raises(StopAsyncIteration):
        await anext(lines)


async def test_stopping_ends_a_wait_for_a_pipe_that_says_nothing(piped: int) -> None:
    reader = LineReader("-")
    asyncio.get_running_loop().call_later(0.02, reader.stop)
    assert await asyncio.wait_for(read(reader), 5) == []
    assert not reader.ended


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": }', "not JSON: Expecting value at column 7"),
        (b"\xff", "not UTF-8: byte 0xff at column 1"),
        (b"[" * 200_000, "not readable as JSON"),
        (b"9" * 5000, "not readable as JSON"),
        (b"1 2", "not JSON: Extra data at column 3: 1 2"),
    ],
)
def test_an_unreadable_line_says_why(text: bytes, said: str) -> None:
    line = parse(40_017, text)
    assert line is not None
    assert line.number == 40_017
    assert line.problem is not None
    assert said in line.problem
    assert len(line.problem) < 300


def test_a_directory_and_a_missing_file_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="is a directory"):
        LineReader(str(tmp_path))
    with pytest.raises(BadUsage, match=r"none\.jsonl: No such file"):
        LineReader(str(tmp_path / "none.jsonl"))
