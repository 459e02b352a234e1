"""Reports: the two accesses and the await between them, for plain Python state; the schedule as a table; a repair."""

import asyncio
from typing import Any

import pytest

from linecook.testing import Exploration, explore, outside


class Purse:
    def __init__(self) -> None:
        self.dollars = 100


SEEN: list[str] = []
TOTAL = 0


async def by_item() -> None:
    total = {"n": 0}

    async def agent() -> None:
        before = total["n"]
        await asyncio.sleep(0)
        total["n"] = before + 1

    await asyncio.gather(agent(), agent())
    assert total["n"] == 2


async def by_attribute() -> None:
    purse = Purse()

    async def pay(price: int) -> None:
        purse.dollars -= price if await outside(True) else 0

    await asyncio.gather(pay(30), pay(40))
    assert purse.dollars == 30


async def by_outer_variable() -> None:
    count = 0

    async def agent() -> None:
        nonlocal count
        before = count
        await outside(None)
        count = before + 1

    await asyncio.gather(agent(), agent())
    assert count == 2


async def by_global() -> None:
    global TOTAL
    TOTAL = 0

    async def agent() -> None:
        global TOTAL
        before = TOTAL
        await outside(None)
        TOTAL = before + 1

    await asyncio.gather(agent(), agent())
    assert TOTAL == 2


def failed(main: Any, **options: Any) -> tuple[Exploration, str]:
    found = explore(main, **options)
    assert found.failure is not None
    return found, found.failure.report


@pytest.mark.parametrize(
    ("main", "what", "wait"),
    [
        (by_item, "total['n']", "await asyncio.sleep(0)"),
        (by_attribute, "purse.dollars", "await outside(True)"),
        (by_outer_variable, "count", "await outside(None)"),
        (by_global, "TOTAL", "await outside(None)"),
    ],
)
def test_a_lost_update_of_plain_state_names_both_accesses_and_the_await(main: Any, what: str, wait: str) -> None:
    found, report = failed(main)
    assert found.schedules <= 2
    assert f"lost update on {what}:" in report
    explained = report.split("lost update on")[1].split("\n\n")[0]
    assert [word in explained for word in ("read", wait, "wrote", "wrote over it", "test_report.py:")] == [True] * 5
    assert found.failure is not None
    assert [one.kind for one in found.failure.accesses] == ["read", "write", "write"]


def test_a_check_that_no_longer_holds_is_called_that() -> None:
    async def main() -> None:
        purse = Purse()

        async def buy(price: int) -> None:
            if purse.dollars >= price:
                await outside(None)
                purse.dollars -= price

        await asyncio.gather(buy(60), buy(70))
        assert purse.dollars >= 0

    _, report = failed(main)
    assert "stale check on purse.dollars" in report
    assert "repair: check again after the await" in report


def test_the_schedule_has_a_column_for_each_party_and_shows_the_accesses() -> None:
    _, report = failed(by_item)
    head = next(line for line in report.splitlines() if "outside" in line and "agent-2" in line)
    assert head.split() == ["outside", "by_item", "agent", "agent-2"]
    assert "write total['n'] = 1" in report


def test_code_of_the_users_objects_is_not_run_to_look_at_them() -> None:
    class Touchy:
        def __init__(self) -> None:
            self.looked = 0
            self.n = 0

        @property
        def dear(self) -> int:
            self.looked += 1
            return self.n

    kept: list[Touchy] = []

    async def main() -> None:
        touchy = Touchy()
        kept.append(touchy)

        async def agent() -> None:
            before = touchy.dear
            await asyncio.sleep(0)
            touchy.n = before + 1

        await asyncio.gather(agent(), agent())
        assert touchy.n == 2

    failed(main)
    assert {touchy.looked for touchy in kept} == {2}


def test_a_failure_without_shared_state_is_told_without_accesses() -> None:
    async def main() -> None:
        await outside(1)
        raise ValueError("no")

    _, report = failed(main)
    assert "ValueError" in report
    assert "lost update" not in report


def test_a_program_of_many_parties_and_steps_is_told_within_bounds() -> None:
    async def main() -> None:
        async def agent(number: int) -> None:
            for _ in range(30):
                await outside(number)

        await asyncio.gather(*(agent(number) for number in range(12)))
        raise ValueError("at last")

    _, report = failed(main)
    lines = report.splitlines()
    assert len(lines) < 400
    assert any("others" in line for line in lines)
    assert any("left out" in line for line in lines)
