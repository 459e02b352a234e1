"""CSV: the first row names the parameters, cells are read by their annotations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from linecook.cli.exits import BadUsage


@dataclass
class Size:
    width: int


def price(name: str, amount: float, count: int = 1, day: date | None = None) -> None: ...


def note(text: str) -> None: ...


def anything(a, b="none given") -> None: ...  # type: ignore[no-untyped-def]


async def test_columns_are_parameters_in_any_order_and_cells_follow_the_annotations(pantry: Any) -> None:
    path = pantry.write("in.csv", "day,amount,name,count\n2026-01-02,3,soup, 2 \n,1e3,tea,\n")
    first, second = await pantry.items(path, price)
    assert first.args == ("soup", 3.0, 2, date(2026, 1, 2))
    assert type(first.args[1]) is float
    assert (second.args, second.kwargs) == (("tea", 1000.0), {"day": None})  # an empty count is the default


async def test_a_bom_quotes_line_ends_and_blank_rows_are_read_as_spreadsheets_write_them(pantry: Any) -> None:
    path = pantry.write("in.csv", '\ufefftext\r\n"a ""b"", c"\r\n\r\n"two\r\nlines"\r\nlast'.encode())
    items = await pantry.items(path, note)
    assert [(item.number, item.args[0]) for item in items] == [(2, 'a "b", c'), (4, "two\nlines"), (6, "last")]


@pytest.mark.parametrize("delimiter", [";", "\t"])
async def test_semicolons_and_tabs_are_known_by_the_first_row(pantry: Any, delimiter: str) -> None:
    path = pantry.write("in.csv", f"name{delimiter}amount\nsoup, hot{delimiter}3\n")
    (item,) = await pantry.items(path, price)
    assert item.args == ("soup, hot", 3.0)


async def test_without_annotations_cells_are_text_and_empty_ones_nothing(pantry: Any) -> None:
    items = await pantry.items(pantry.write("in.csv", "a,b\n7,8\n,\n"), anything)
    assert [item.args for item in items] == [("7", "8"), (None,)]


async def test_a_cell_may_hold_json_where_the_annotation_wants_more_than_a_cell(pantry: Any) -> None:
    def take(sizes: list[int], size: Size, flag: bool) -> None: ...

    path = pantry.write("in.csv", 'sizes,size,flag\n"[1, 2]","{""width"": 3}",TRUE\n')
    take.__annotations__ |= {"size": Size, "sizes": list[int], "flag": bool}
    (item,) = await pantry.items(path, take)
    assert item.args == ([1, 2], Size(3), True)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("soup,x", "line 2: argument 'amount' of price(name: str, amount: float"),
        ("soup,", "line 2: column 'amount' is empty, and price(name: str"),
        (",3", "line 2: column 'name' is empty"),
        ("soup", "line 2: it has 1 cells, and the first row names 2 columns"),
        ("soup,3,4", "line 2: it has 3 cells"),
        ('"soup" x,3', "line 2: "),
    ],
)
async def test_a_row_that_does_not_fit_fails_alone_with_line_and_column(pantry: Any, row: str, said: str) -> None:
    bad, good = await pantry.items(pantry.write("in.csv", f"name,amount\n{row}\ntea,1\n"), price)
    assert said in bad.problem
    assert good.args == ("tea", 1.0)


async def test_a_quote_that_is_never_closed_is_said_where_it_opens(pantry: Any) -> None:
    first, second = await pantry.items(pantry.write("in.csv", 'text\nfine\n"open\nand on\n'), note)
    assert first.args == ("fine",)
    assert second.problem == "line 3: a quote is opened here and never closed"


async def test_bytes_of_another_encoding_are_named_with_the_cure(pantry: Any) -> None:
    bad, good = await pantry.items(pantry.write("in.csv", b"text\ncaf\xe9\nbar\n"), note)
    assert "not UTF-8: byte 0xe9 in column 'text'" in bad.problem
    assert "iconv" in bad.problem
    assert good.args == ("bar",)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("name,amount,tip", r"column 'tip' names no parameter of price\(.*--ignore-extra"),
        ("name", r"has no column 'amount', and price\(.*\) needs it; its columns are: name"),
        ("name,amount,name", "has more than one column 'name'"),
        ("", "is empty: the first row of a .csv names the columns"),
    ],
)
def test_columns_that_do_not_fit_are_refused_before_anything_runs(pantry: Any, header: str, said: str) -> None:
    with pytest.raises(BadUsage, match=said):
        pantry.reader(pantry.write("in.csv", header), price)


async def test_columns_too_many_can_be_left_out_and_change_no_item(pantry: Any) -> None:
    one = await pantry.items(pantry.write("a.csv", "name,amount,tip\nsoup,3,1\n"), price, ignore_extra=True)
    other = await pantry.items(pantry.write("b.csv", "tip,amount,name\n2,3,soup\n"), price, ignore_extra=True)
    assert one[0].args == other[0].args == ("soup", 3.0)
    assert one[0].digest == other[0].digest
