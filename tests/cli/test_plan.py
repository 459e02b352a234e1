"""The short way from JSON to arguments gives what the long way gives, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from linecook.cli.arguments import BadArguments, Signature
from linecook.cli.plan import Plan


@dataclass
class Order:
    dish: str
    table: int = 1


def pay(amount: float, note: str | None = None, table: int = 3) -> None: ...
def serve(order: Order, /, where: Path) -> None: ...
def many(*parts: int) -> None: ...
def named(*, key: int) -> None: ...


def plan_of(function: Callable[..., Any]) -> Plan | None:
    return Signature(function)._plan


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (pay, {"amount": 3}),
        (pay, {"amount": 3, "note": "x", "table": 4}),
        (pay, {"note": None, "amount": 2.5}),
        (serve, {"where": "a/b", "order": {"dish": "soup"}}),
    ],
)
def test_both_ways_give_the_same(function: Callable[..., Any], given: Any) -> None:
    plan = plan_of(function)
    assert plan is not None
    short = plan.bind(json.dumps(given).encode())
    assert short is not None
    assert repr(short) == repr(Signature(function).bind(given))


def test_defaults_of_a_dataclass_are_its_own_attributes_on_the_short_way_too() -> None:
    plan = plan_of(serve)
    assert plan is not None
    bound = plan.bind(b'{"order": {"dish": "soup"}, "where": "x"}')
    assert bound is not None
    assert vars(bound[0][0]) == {"dish": "soup", "table": 1}


@pytest.mark.parametrize(
    "text", [b"[3]", b"3", b'{"amount": "3"}', b'{"amount": 3, "tip": 1}', b"{}", b'{"amount": 3, "table": 4}', b"{"]
)
def test_what_is_not_plain_takes_the_long_way(text: bytes) -> None:
    plan = plan_of(pay)
    assert plan is not None
    assert plan.bind(text) is None


def test_a_gap_in_the_arguments_is_filled_by_name() -> None:
    assert Signature(pay).bind_json(b'{"amount": 3, "table": 4}') == ((3.0,), {"table": 4})


@pytest.mark.parametrize("function", [many, named, lambda: None])
def test_starred_and_keyword_only_parameters_have_no_plan(function: Callable[..., Any]) -> None:
    assert plan_of(function) is None


def test_the_long_way_says_what_the_short_one_refused() -> None:
    with pytest.raises(BadArguments, match="unexpected keyword argument 'tip'"):
        Signature(pay).bind_json(b'{"amount": 3, "tip": 1}')
