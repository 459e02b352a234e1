"""JSON becomes the arguments of one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from linecook.cli.arguments import NONE_GIVEN, BadArguments, Signature


@dataclass
class Order:
    dish: str
    table: int = 1


def pay(amount: float, when: datetime | None = None, *, currency: Literal["eur", "usd"] = "eur") -> None: ...


def bound(function: Callable[..., Any], given: Any) -> tuple[Any, ...]:
    args, kwargs = Signature(function).bind(given)
    return (*args, kwargs) if kwargs else args


def test_an_object_names_parameters_a_list_is_positional_anything_else_is_the_one_argument() -> None:
    assert bound(pay, {"amount": 2.5, "currency": "usd"}) == (2.5, {"currency": "usd"})
    assert bound(pay, [2.5, None]) == (2.5, None)
    assert bound(pay, 2.5) == (2.5,)
    assert bound(lambda: None, NONE_GIVEN) == ()
    assert bound(lambda x: None, None) == (None,)


def test_types_follow_the_annotations() -> None:
    def take(a: float, b: Path, c: Order, d: set[int], e: Order | None = None) -> None: ...

    got = bound(take, [3, "x/y", {"dish": "soup"}, [1, 1], {"dish": "tea", "table": 4}])
    assert got == (3.0, Path("x/y"), Order("soup"), {1}, Order("tea", 4))
    assert type(got[0]) is float
    assert bound(pay, [1, "2026-01-02T03:04:05"])[1] == datetime(2026, 1, 2, 3, 4, 5)


def test_the_defaults_of_a_dataclass_are_its_own_attributes() -> None:
    def take(orders: list[Order]) -> None: ...

    (orders,) = bound(take, [[{"dish": "soup"}]])
    assert vars(orders[0]) == {"dish": "soup", "table": 1}


def test_starred_parameters_are_converted_one_by_one() -> None:
    def join(*parts: Path, **marks: float) -> None: ...

    assert bound(join, ["a", "b"]) == (Path("a"), Path("b"))
    assert bound(join, {"x": 1}) == ({"x": 1.0},)


def test_a_key_names_a_positional_only_parameter_too() -> None:
    def power(base: int, exponent: int, /) -> None: ...

    assert bound(power, {"exponent": 3, "base": 2}) == (2, 3)


def test_an_annotation_json_knows_nothing_of_passes_the_plain_value() -> None:
    class Duck: ...

    def take(a: Callable[[], int], b: "Unknown", c: Any, d: Duck | Order | None = None) -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037

    assert bound(take, [1, "two", [3]]) == (1, "two", [3])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"amount": "3"}, r"argument 'amount' of pay\(amount: .*expected `float`, got `str`"),
        ({}, "missing a required argument: 'amount'"),
        ({"amount": 1, "tip": 2}, "got an unexpected keyword argument 'tip'"),
        ([1, None, 3], "too many positional arguments"),
        ({"amount": 1, "currency": "gbp"}, "argument 'currency'.*invalid enum value 'gbp'"),
    ],
)
def test_what_does_not_fit_names_the_argument(given: Any, said: str) -> None:
    with pytest.raises(BadArguments, match=said):
        Signature(pay).bind(given)


def test_a_class_json_cannot_build_is_said_to_be_so() -> None:
    class Client: ...

    def use(client: Client) -> None: ...

    use.__annotations__["client"] = Client
    with pytest.raises(BadArguments, match="a Client can't be made from JSON"):
        Signature(use).bind([1])
