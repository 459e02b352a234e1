"""One JSON list: each element is an item."""

from __future__ import annotations

from typing import Any

import pytest

from linecook.cli.reading import json_list


def order(dish: str, table: int = 1) -> None: ...


async def test_each_element_is_one_item_by_place(pantry: Any) -> None:
    path = pantry.write("in.json", '\ufeff[{"dish": "soup",\n "table": 2},\n ["tea", 3], "pie", 4]')
    items = await pantry.items(path, order)
    assert [(item.number, item.args) for item in items[:3]] == [(1, ("soup", 2)), (2, ("tea", 3)), (3, ("pie",))]
    assert "item 4: argument 'dish'" in items[3].problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"data": [1]}', r"an object, not a list of items; its 'data' is one: jq -c '\.data\[\]' makes JSON lines"),
        ('{"a": 1}', "it holds one object, not a list of items"),
        ("[1]\n[2]\n", r"more than one JSON value: if each line is one, name it \.jsonl"),
        ("[1,\n oops]", "not JSON: Expecting value at line 2, column 2"),
        ("7", r"no list of items but 7"),
        (" ", r"it is empty; a \.json holds one list"),
    ],
)
async def test_what_is_no_list_is_told_with_the_cure(pantry: Any, text: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        await pantry.items(pantry.write("in.json", text), order)


async def test_a_list_beyond_the_bound_is_refused_with_the_way_to_make_lines_of_it(
    pantry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_list, "MOST_BYTES", 10)
    with pytest.raises(AssertionError, match="jq -c"):
        await pantry.items(pantry.write("in.json", '["a", "b", "c"]'), order)
