"""Supervisor and workers."""

import asyncio
import logging
from typing import Any

import pytest

from linecook import Failed
from linecook.errors import AgentFailed, TeamFailed
from linecook.patterns import supervise
from tests.testing.exploring.house import Kitchen, cancelled_sometime, in_every_order


async def double(number: int) -> int:
    await asyncio.sleep(0)
    if number < 0:
        raise ValueError(number)
    return 2 * number


async def test_results_come_in_input_order() -> None:
    assert (await supervise(double, range(50), workers=3)).results == [2 * n for n in range(50)]


async def test_a_failure_costs_its_own_item_only() -> None:
    outcomes = await supervise(double, [1, -2, 3, -4, 5], workers=2)
    assert outcomes.results == [2, 6, 10]
    for failed in outcomes.failures:
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, AgentFailed)
        assert isinstance(failed.error.__cause__, ValueError)


async def test_no_more_work_at_once_than_there_are_workers() -> None:
    now, most = 0, 0

    async def work(number: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1

    await supervise(work, range(12), workers=3)
    assert most == 3


async def test_what_may_be_repeated_is_tried_again() -> None:
    tried: list[int] = []

    async def flaky(number: int) -> int:
        tried.append(number)
        if tried.count(number) == 1:
            raise ConnectionError
        return number

    assert (await supervise(flaky, [1, 2], deliveries=2)).results == [1, 2]
    assert sorted(tried) == [1, 1, 2, 2]


async def test_workers_that_all_fail_are_given_up() -> None:
    with pytest.raises(TeamFailed):
        await supervise(double, [-1] * 20, workers=2, intensity=3)


async def test_nothing_to_do_is_done() -> None:
    assert len(await supervise(double, [])) == 0


async def one_item_fails() -> None:
    kitchen = Kitchen(most=2)

    async def work(dish: str) -> str:
        return await (kitchen.burn(dish) if dish == "b" else kitchen.cook(dish))

    outcomes = await supervise(work, "abc", workers=2)
    assert outcomes.results == ["a", "c"]
    assert isinstance(outcomes[1], Failed)
    assert sorted(kitchen.begun) == ["a", "b", "c"]
    assert kitchen.is_quiet()


async def one_item_is_tried_again() -> None:
    kitchen = Kitchen(most=2)

    async def work(dish: str) -> str:
        return await (kitchen.burn(dish) if dish not in kitchen.begun else kitchen.cook(dish))

    outcomes = await supervise(work, "ab", workers=2, deliveries=2)
    assert outcomes.results == ["a", "b"]
    assert sorted(kitchen.begun) == ["a", "a", "b", "b"]
    assert kitchen.is_quiet()


async def it_is_cancelled() -> None:
    kitchen = Kitchen(most=2)

    async def work(dish: str) -> str:
        return await (kitchen.burn(dish) if dish == "a" else kitchen.cook(dish))

    task = asyncio.create_task(supervise(work, "abc", workers=2))
    asked = await cancelled_sometime(task)
    assert task.cancelled() == asked
    assert asked or task.result().results == ["b", "c"]
    assert kitchen.is_quiet()


@pytest.mark.slow
@pytest.mark.parametrize("program", [one_item_fails, one_item_is_tried_again, it_is_cancelled])
def test_in_every_order_each_item_has_one_end_and_nobody_works_on(
    program: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="linecook")
    in_every_order(program)
