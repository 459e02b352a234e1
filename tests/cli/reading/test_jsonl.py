"""JSON lines: numbers, problems and arguments, each line for itself."""

from __future__ import annotations

from typing import Any

import pytest


def take(given: Any) -> None: ...


def order(dish: str, table: int = 1) -> None: ...


async def test_blank_lines_are_no_items_but_count_as_lines(pantry: Any) -> None:
    path = pantry.write("in.jsonl", b'\xef\xbb\xbf1\r\n\n  \n{"given": 2}\n[3]')
    items = await pantry.items(path, take)
    assert [(item.number, item.args) for item in items] == [(1, (1,)), (4, (2,)), (5, (3,))]


async def test_a_line_longer_than_any_buffer_is_one_line(pantry: Any) -> None:
    path = pantry.write("in.jsonl", '"' + "x" * 1_000_000 + '"\n2\n')
    first, second = await pantry.items(path, take)
    assert (len(first.args[0]), second.args) == (1_000_000, (2,))


async def test_the_same_content_has_the_same_digest_whatever_its_line_end(pantry: Any) -> None:
    one, other, third = await pantry.items(pantry.write("in.jsonl", b" 1\r\n1\n2"), take)
    assert one.digest == other.digest != third.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": }', "line 1: not JSON: Expecting value at column 7"),
        (b"\xff", "line 1: not UTF-8: byte 0xff at column 1"),
        (b"[" * 200_000, "not readable as JSON"),
        (b"9" * 5000, "not readable as JSON"),
        (b"1 2", "not JSON: Extra data at column 3: 1 2"),
    ],
)
async def test_an_unreadable_line_says_why_and_the_next_is_read(pantry: Any, text: bytes, said: str) -> None:
    bad, good = await pantry.items(pantry.write("in.jsonl", text + b"\n7\n"), take)
    assert bad.kind == "UnreadableLine"
    assert said in bad.problem
    assert len(bad.problem) < 300
    assert good.args == (7,)


async def test_what_python_reads_beyond_the_standard_is_read(pantry: Any) -> None:
    nan, surrogate = await pantry.items(pantry.write("in.jsonl", '{"given": NaN}\n{"given": "\\ud800"}\n'), take)
    assert nan.args[0] != nan.args[0]
    assert surrogate.args == ("\ud800",)


async def test_an_extra_key_is_a_problem_unless_it_is_left_out(pantry: Any) -> None:
    path = pantry.write("in.jsonl", '{"dish": "soup", "tip": 1}\n{"dish": "tea", "table": "x"}\n')
    extra, wrong = await pantry.items(path, order)
    assert "got an unexpected keyword argument 'tip'" in extra.problem
    assert "line 2: argument 'table' of order(dish: str, table: int = 1): expected `int`, got `str`" in wrong.problem
    fine, _ = await pantry.items(path, order, ignore_extra=True)
    assert (fine.args, fine.problem) == (("soup",), None)
