"""Supervisor and workers."""

import asyncio

import pytest

from linecook import Failed
from linecook.errors import AgentFailed, TeamFailed
from linecook.patterns import supervise


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
