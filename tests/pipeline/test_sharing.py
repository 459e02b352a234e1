"""Workers of ``workers="auto"`` stages go where the time is spent."""

import asyncio

import pytest

from linecook.pipeline.pipeline import pipeline
from linecook.pipeline.sharing import shares
from linecook.testing import VirtualClock


@pytest.mark.parametrize(
    ("seconds", "total", "expected"),
    [
        ([1, 1], 8, [4, 4]),
        ([3, 1], 8, [6, 2]),
        ([1000, 1], 8, [7, 1]),
        ([1, 1, 1], 8, [3, 3, 2]),
        ([1, 9, 0.001], 12, [1, 10, 1]),
    ],
)
def test_shares_are_proportional_and_nobody_gets_none(seconds: list[float], total: int, expected: list[int]) -> None:
    assert shares(seconds, total) == expected


async def test_workers_follow_a_cost_that_moves(clock: VirtualClock) -> None:
    cost = [0.09, 0.01]

    async def first(number: int) -> int:
        await asyncio.sleep(cost[0])
        return number

    async def second(number: int) -> int:
        if number == 2000:
            cost[:] = [0.01, 0.09]
        await asyncio.sleep(cost[1])
        return number

    began = clock.time()
    await pipeline(range(4000)).map(first, workers="auto").map(second, workers="auto").collect()
    ideal = 4000 * 0.1 / 64  # every worker at work all the time
    assert clock.time() - began < ideal / 0.9
