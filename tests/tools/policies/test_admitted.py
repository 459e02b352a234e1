"""A call takes its limit before its body begins, and gives it back whatever happens."""

import asyncio
import random
from typing import Any

import pytest

from linecook import Limit, Runtime, settle, tool
from linecook._runtime import current
from linecook.testing import VirtualClock
from linecook.tools.policies.door import _holders
from linecook.tools.policies.states import state_of
from tests.luck.bodies import double as double_it
from tests.luck.bodies import killed_by_the_system
from tests.tools.policies.kitchen import door, serve

DYING = Limit(1, name="dying", tokens_in_per_minute=1000, estimate=lambda *_: (100, 0))


@pytest.mark.parametrize("options", [{"in_flight": 2}, {"in_flight": "1-2-2", "tokens_in_per_minute": 10**6}])
async def test_holders_that_are_cancelled_at_any_moment_leave_nothing_behind(options: Any, clock: VirtualClock) -> None:
    limit, chance = Limit(**options), random.Random(5)
    one = tool(limit=limit)(serve.body)
    for _ in range(100):
        tasks = [asyncio.create_task(one(n, 0.01)) for n in range(8)]
        for task in tasks:
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(chance.choice([0, 0, 0.005]))
            task.cancel()
        await asyncio.wait(tasks)
        state: Any = state_of(limit, current())
        assert (state.taken, state.waiting) == (0, 0)
    await asyncio.sleep(60)
    assert await one(7, 0.01) == 7
    assert _holders == {}


async def test_who_is_cancelled_in_the_moment_it_is_let_in_has_used_nothing(clock: VirtualClock) -> None:
    limit = Limit(1, per_minute=5, tokens_in_per_minute=1000, estimate=lambda *_: (500, 0))
    began: list[int] = []

    @tool(limit=limit)
    async def one(number: int) -> None:
        began.append(number)
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_soon(second.cancel)  # after it is let in, and before it wakes up

    first = asyncio.create_task(one(0))
    await asyncio.sleep(0)
    second = asyncio.create_task(one(1))
    await asyncio.wait([first, second])
    assert second.cancelled()
    assert began == [0]
    used = door(limit).gates.statistics(clock.time())["used"]
    assert used == {"per_minute": (1, 5), "tokens_in_per_minute": (500, 1000)}


async def test_a_client_that_gives_up_on_its_server_may_have_cost_all_that_was_reserved(clock: VirtualClock) -> None:
    limit = Limit("1-4-8", tokens_out_per_minute=1000, estimate=lambda: (0, 300))

    @tool(limit=limit)
    async def ask() -> None:
        async with asyncio.timeout(5):  # as clients have their own
            await asyncio.sleep(60)

    outcomes = await settle([ask() for _ in range(3)])
    assert outcomes.counts["failed"] == 3
    shown = door(limit).gates.statistics(clock.time())
    assert shown["used"]["tokens_out_per_minute"] == (900, 1000)
    assert shown["cuts"] == 1


@pytest.mark.slow
async def test_a_holder_whose_process_is_killed_gives_back_its_place_and_what_it_did_not_use() -> None:
    dies = tool(lane="process", limit=DYING)(killed_by_the_system.body)
    double = tool(lane="process", limit=DYING)(double_it.body)
    async with Runtime(processes=1, stall=None):
        outcomes = await settle([dies(), double(2), dies(), double(3)])
        assert [type(one).__name__ for one in outcomes] == ["Failed", "Ok", "Failed", "Ok"]
        state = door(DYING)
        assert (state.taken, state.waiting) == (0, 0)
        assert state.gates.statistics(0.0)["used"]["tokens_in_per_minute"] == (400, 1000)  # nobody said: as reserved
        assert _holders == {}
