"""What a read was good for, out of the text of the program."""

import asyncio
import logging
from typing import Any

import pytest

from linecook import Shared, SharedMap
from linecook.errors import LostUpdate
from linecook.state.uses import is_only_shown

log = logging.getLogger("kitchen")
cell: Shared[int] = Shared(0, lost_update="raise")
notes: SharedMap[str, int] = SharedMap({"a": 1}, lost_update="raise")
taken: list[Any] = []


def shows_it() -> None:
    print("so far", cell.value)


def shows_it_in_a_string() -> None:
    print(f"so far {cell.value:,}", end="")


def logs_it() -> None:
    log.info("so far %s, %s", len(str(cell.value)), notes["a"])


def asserts_it() -> None:
    assert cell.value is not None, "there is a value"


def reads_it_for_nothing() -> None:
    if True:
        cell.value  # pyright: ignore[reportUnusedExpression]


def returns_it() -> int:
    return cell.value


def decides_by_it() -> None:
    if cell.value > 5:
        taken.append(1)


def hands_it_on() -> None:
    taken.append(cell.value)


def shows_and_keeps_it() -> None:
    print(now := cell.value)
    taken.append(now)


def shows_what_another_makes_of_it() -> None:
    print(taken.append(cell.value))  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("reader", "is_shown"),
    [
        (shows_it, True),
        (shows_it_in_a_string, True),
        (logs_it, True),
        (asserts_it, True),
        (reads_it_for_nothing, True),
        (returns_it, False),
        (decides_by_it, False),
        (hands_it_on, False),
        (shows_and_keeps_it, False),
        (shows_what_another_makes_of_it, False),
    ],
)
async def test_a_read_that_is_only_shown_decides_nothing(reader: Any, is_shown: bool) -> None:
    reader()

    async def meddle() -> None:
        cell.update(lambda n: n + 1)

    await asyncio.create_task(meddle())
    try:
        cell.value = 0
    except LostUpdate:
        assert not is_shown
    else:
        assert is_shown


async def test_where_there_is_no_text_it_is_reported() -> None:
    space: dict[str, Any] = {"cell": cell}
    exec("def reader():\n    print(cell.value)", space)
    space["reader"]()

    async def meddle() -> None:
        cell.update(lambda n: n + 1)

    await asyncio.create_task(meddle())
    with pytest.raises(LostUpdate, match=r"read \d+ at <string>:2 in reader"):
        cell.value = 0
    cell.set(0)
    assert is_only_shown(space["reader"].__code__, 0) is False
