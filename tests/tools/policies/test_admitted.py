"""Each call finds its limits, by key, takes them in one order and gives them back whatever happens."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linecook import Limit, charge, gather, tool
from linecook._runtime import current
from linecook.errors import UsageError
from linecook.testing import VirtualClock
from linecook.tools.policies.admitted import state_of
from linecook.tools.policies.door import _holders
from tests.tools.policies.kitchen import door, serve


async def test_each_key_has_a_limit_of_its_own(clock: VirtualClock) -> None:
    by_host, by_name = Limit(1, key=lambda url, **_: url.split("/")[0]), Limit(1, key="model")

    @tool(limit=by_host)
    async def fetch(url: str, times: int = 1) -> None:
        await asyncio.sleep(1)

    @tool(limit=by_name)
    async def ask(prompt: str, model: str = "small") -> None:
        await asyncio.sleep(1)

    await gather(fetch("a/1"), fetch("b/1"), fetch("a/2", times=2), fetch("c/1"))
    assert clock.time() == pytest.approx(2, abs=0.01)
    await gather(ask("p"), ask("p", "large"), ask("p", model="small"))
    assert clock.time() == pytest.approx(4, abs=0.01)
    shown = current().statistics()["limits"][str(by_host)]
    assert shown["keys"] == 3
    assert set(shown["busiest"]) == {"a", "b", "c"}


async def test_a_key_that_no_tool_has_or_that_is_none_is_named(clock: VirtualClock) -> None:
    with pytest.raises(UsageError, match=r"key='host' of .*: .*fetch has no such parameter; it has \['url'\]"):

        @tool(limit=Limit(1, key="host"))
        async def fetch(url: str) -> None: ...

    @tool(limit=Limit(1, key=lambda url: [url]))
    async def listed(url: str) -> None: ...

    with pytest.raises(UsageError, match=r"gave \['u'\], which can't be a key"):
        await listed("u")


@pytest.mark.slow
async def test_a_hundred_thousand_keys_are_bounded(clock: VirtualClock) -> None:
    limit = Limit(1, key="host", per_minute=100)

    @tool(limit=limit)
    async def fetch(host: int) -> None: ...

    for host in range(20_000):
        await fetch(host)
    assert current().statistics()["limits"][str(limit)]["keys"] == 10_000


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


async def test_a_tool_under_two_limits_in_both_orders_never_deadlocks(clock: VirtualClock) -> None:
    a, b = Limit(1, name="a"), Limit(1, name="b", per_second=100)

    @tool(limit=[a, b])
    async def ab() -> None:
        await asyncio.sleep(0.1)

    @tool(limit=[b, a])
    async def ba() -> None:
        await asyncio.sleep(0.1)

    await gather([made() for _ in range(10) for made in (ab, ba)], timeout=60)
    assert clock.time() == pytest.approx(2, abs=0.1)


async def test_several_limits_are_limits_all_of_them() -> None:
    with pytest.raises(UsageError, match="several limits are Limit objects, all of them"):
        tool(limit=[Limit(1), 3])(serve.body)  # type: ignore[list-item]


async def test_a_stream_holds_its_place_until_it_ends(clock: VirtualClock) -> None:
    limit = Limit("1-1-1", tokens_out_per_minute=1000, estimate=lambda: (0, 600))

    @tool(limit=limit)
    async def write() -> AsyncIterator[int]:
        for n in range(3):
            await asyncio.sleep(1)
            charge(tokens_out=100)
            yield n

    async def read() -> list[int]:
        return [n async for n in write()]

    assert await asyncio.gather(read(), read()) == [[0, 1, 2], [0, 1, 2]]
    assert clock.time() == pytest.approx(6, abs=0.1)
    assert door(limit).gates.statistics(clock.time())["used"]["tokens_out_per_minute"] == (600, 1000)
