"""The line that made a coroutine."""

from __future__ import annotations

import sys

from linecook.observe.audit.origins import (
    definition_of,
    forget_origins,
    made_at,
    name_of,
    origin_of,
    remember_origins,
)
from tests.observe.audit.conftest import line_of


async def cook() -> None:
    pass


def make() -> object:
    return cook()  # made


def test_a_coroutine_knows_its_line_once_asked_to() -> None:
    before = make()
    remember_origins()
    try:
        after = make()
    finally:
        forget_origins()
    origin = origin_of(after)
    assert origin is not None
    assert (origin.line, origin.function) == (line_of(make, "# made"), "make")
    assert origin_of(before) is None
    assert definition_of(before) == (__file__, cook.__code__.co_firstlineno, "cook")
    assert name_of(before) == "cook"
    for each in (before, after):
        each.close()  # type: ignore[attr-defined]


def test_debug_mode_which_remembers_more_is_left_alone() -> None:
    sys.set_coroutine_origin_tracking_depth(10)
    try:
        remember_origins()
        forget_origins()
        assert sys.get_coroutine_origin_tracking_depth() == 10
    finally:
        sys.set_coroutine_origin_tracking_depth(0)


def test_what_has_no_origin_has_none() -> None:
    assert made_at(object()) is None
    assert origin_of(None) is None
    assert name_of(3) == "int"
