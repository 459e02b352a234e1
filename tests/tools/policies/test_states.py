"""A tool's limits stand in one order; each call finds what counts them, by runtime and key."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from linecook import Limit, gather, tool
from linecook._runtime import current
from linecook.errors import UsageError
from linecook.testing import VirtualClock
from linecook.tools.policies.states import MOST_LIMITS, in_order


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
async def test_limits_made_anew_for_each_request_are_bounded_and_a_busy_one_is_kept(clock: VirtualClock) -> None:
    @tool(limit=Limit("1-1-4", name="busy"))
    async def waits() -> None:
        await asyncio.sleep(100)

    async def request(number: int, bound: Limit | int) -> int:
        @tool(limit=bound)
        async def look_up() -> int:
            return number

        return await look_up()

    under_way = asyncio.create_task(_all(waits() for _ in range(2)))
    await asyncio.sleep(0.5)
    for number in range(MOST_LIMITS):
        bounds = (4, Limit(4, per_second=1000), Limit(1, key=lambda: "a"))
        assert [await request(number, bound) for bound in bounds] == [number] * 3
        await asyncio.sleep(0.01)
    assert len(current().limits) <= MOST_LIMITS
    shown = current().statistics()["limits"]
    assert [figures["in_flight"] for name, figures in shown.items() if "busy" in name] == [1]
    await under_way
    assert clock.time() == pytest.approx(200, abs=0.01)


async def _all(calls: Iterable[Any]) -> None:
    await gather(calls)


@pytest.mark.slow
async def test_a_hundred_thousand_keys_are_bounded(clock: VirtualClock) -> None:
    limit = Limit(1, key="host", per_minute=100)

    @tool(limit=limit)
    async def fetch(host: int) -> None: ...

    for host in range(20_000):
        await fetch(host)
    assert current().statistics()["limits"][str(limit)]["keys"] == 10_000


def test_limits_stand_in_the_order_in_which_they_were_made_each_once() -> None:
    a, b, c = Limit(1), Limit(2), Limit(3)
    assert in_order([c, a, c, b]) == in_order((b, c, a)) == [a, b, c]
    assert in_order(a) == [a]
    assert in_order(None) == []
    rate = Limit(per_minute=5)
    assert in_order([a, rate, b]) == [rate, a, b]
