"""What the place at which a coroutine was dropped tells of the line that made it."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest

from linecook.observe import Finding
from tests.observe.audit.conftest import audited, found, line_of


class Desk:
    async def save(self, what: str) -> None:
        print(what)


async def save(what: str = "") -> None:
    print(what)


def never(main: Any, **options: Any) -> Finding:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return found(audited(main, **options), "never_awaited")


def is_certain(finding: Finding) -> bool:
    return "how" not in finding.details


async def one_statement() -> None:
    save("the day")  # here


async def a_method() -> None:
    Desk().save("the day")  # here


async def several_lines() -> None:
    save(  # here
        "the day and the night"
    )


async def in_a_list() -> None:
    [save(each) for each in "a"]  # here


@pytest.mark.parametrize("main", [one_statement, a_method, several_lines])
def test_a_statement_that_makes_and_drops_is_named_for_certain(main: Any) -> None:
    finding = never(main)
    assert finding.place.line == line_of(main, "# here")
    assert is_certain(finding)


def test_what_a_comprehension_makes_and_drops_is_at_its_line() -> None:
    assert never(in_a_list).place.line == line_of(in_a_list, "# here")


async def stored_over() -> None:
    first = save("a")
    first = save("b")  # here
    await first


async def awaited_after() -> None:
    first = save("a")
    await save("b")
    first = None  # type: ignore[assignment]  # here
    await asyncio.sleep(0)
    del first


async def left_behind() -> None:
    first = save("a")
    await asyncio.sleep(0)
    assert first


@pytest.mark.parametrize("main", [stored_over, awaited_after])
def test_a_line_that_drops_what_another_made_is_not_said_to_have_made_it(main: Any) -> None:
    finding = never(main)
    assert finding.place.line == line_of(main, "# here")
    assert not is_certain(finding)
    assert f":{save.__code__.co_firstlineno} in save" in finding.details["defined"][0][0]


def test_one_dropped_when_its_function_ended_is_named_by_its_own_function() -> None:
    finding = never(left_behind)
    assert finding.place.line == save.__code__.co_firstlineno
    assert "its function is named" in finding.details["how"][0][0]


@pytest.mark.parametrize("main", [stored_over, awaited_after, left_behind, in_a_list])
def test_with_origins_each_is_named_by_the_line_that_made_it(main: Any) -> None:
    finding = never(main, origins=True)
    source = "save(each)" if main is in_a_list else 'save("a")'
    assert finding.place.line == line_of(main, source)
    assert is_certain(finding)


def test_many_at_one_place_are_one_finding() -> None:
    async def main() -> None:
        for _ in range(1_000):
            save()  # here

    finding = never(main)
    assert (finding.count, finding.place.line) == (1_000, line_of(main, "# here"))
