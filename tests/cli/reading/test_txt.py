"""Plain text: a line is the one argument."""

from __future__ import annotations

from typing import Any

import pytest

from linecook.cli.exits import BadUsage


def shout(text: str, twice: bool = False) -> None: ...


def double(n: int) -> None: ...


async def test_each_line_is_the_one_argument_as_it_stands(pantry: Any) -> None:
    items = await pantry.items(pantry.write("in.txt", ' "soup" \r\n\n \t\r\n7\n'), shout)
    assert [(item.number, item.args) for item in items] == [(1, (' "soup" ',)), (4, ("7",))]


async def test_a_number_is_read_where_the_annotation_wants_one(pantry: Any) -> None:
    good, bad = await pantry.items(pantry.write("in.txt", "7\nseven\n"), double)
    assert good.args == (7,)
    assert "line 2: argument 'n' of double(n: int): expected `int`" in bad.problem


def test_a_function_of_two_is_told_what_to_use_instead(pantry: Any) -> None:
    def two(a: str, b: str) -> None: ...

    with pytest.raises(BadUsage, match=r"needs 2 arguments, and each line of a \.txt is the one argument\. Use \.csv"):
        pantry.reader(pantry.write("in.txt", "x"), two)


@pytest.mark.parametrize("function", [lambda: None, lambda *, key: None])
def test_a_function_of_none_is_refused(pantry: Any, function: Any) -> None:
    with pytest.raises(BadUsage, match="takes no positional argument"):
        pantry.reader(pantry.write("in.txt", "x"), function)
