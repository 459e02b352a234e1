"""An annotation makes the argument of a plain value, or says why it can't."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest

from linecook.cli.annotations import BadValue
from linecook.cli.arguments import BadArguments, Signature


def converter(hint: Any) -> Any:
    def function(value: Any) -> None: ...

    function.__annotations__["value"] = hint
    return Signature(function).converter("value")


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, " 7 ", 7),
        (float, "1e3", 1000.0),
        (str, " 7 ", " 7 "),
        (bool, "TRUE", True),
        (Optional[int], "7", 7),  # noqa: UP045 - both spellings
        (date, "2026-01-02", date(2026, 1, 2)),
        (Path, "a/b", Path("a/b")),
        (Literal["eur", "usd"], "usd", "usd"),
        (list[int], "[1, 2]", [1, 2]),
        (dict[str, float], '{"a": 1}', {"a": 1.0}),
    ],
)
def test_text_becomes_what_the_annotation_says(hint: Any, text: str, value: Any) -> None:
    got = converter(hint).from_text(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(("hint", "text"), [(int, "7.5"), (date, "soon"), (list[int], "[1, x]"), (bool, "yes")])
def test_text_that_does_not_fit_says_so(hint: Any, text: str) -> None:
    with pytest.raises(BadValue):
        converter(hint).from_text(text)


def test_json_is_taken_strictly() -> None:
    with pytest.raises(BadValue, match="expected `int`, got `str`"):
        converter(int).from_json("7")


def test_pydantics_types_are_pydantics_business() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Dish(pydantic.BaseModel):
        name: str
        price: float = 1.0

    assert converter(Dish).from_json({"name": "soup"}) == Dish(name="soup")
    assert converter(list[Dish]).from_json([{"name": "tea", "price": "2"}]) == [Dish(name="tea", price=2.0)]
    assert converter(Dish | None).from_text('{"name": "pie"}') == Dish(name="pie")
    with pytest.raises(BadValue, match="name: field required"):
        converter(Dish).from_json({"price": 3})


def test_constraints_made_with_pydantic_hold() -> None:
    pydantic = pytest.importorskip("pydantic")
    few = converter(Annotated[int, pydantic.Field(gt=0, lt=10)])
    assert few.from_text("7") == 7
    with pytest.raises(BadValue, match="input should be greater than 0"):
        few.from_json(0)


def test_a_pydantic_argument_is_named_when_it_does_not_fit() -> None:
    pydantic = pytest.importorskip("pydantic")

    def pay(amount: int) -> None: ...

    pay.__annotations__["amount"] = Annotated[int, pydantic.Field(gt=0)]
    with pytest.raises(BadArguments, match=r"'amount' of pay\(amount: int\): input should be greater than 0"):
        Signature(pay).bind_json(b'{"amount": -1}')
