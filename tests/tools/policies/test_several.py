"""A call under several limits holds all of them or none, in one order, and begins when it has the last."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linecook import Limit, Retry, Runtime, charge, gather, tool
from linecook._runtime import current
from linecook.errors import Refused, TimedOutError, UsageError
from linecook.testing import VirtualClock
from linecook.tools.policies.states import state_of
from tests.tools.policies.kitchen import Busy, door, serve


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


class Moody(Exception):
    """An error about which a limit's ``overloaded=`` can't make up its mind."""


def undecided(error: BaseException) -> bool:
    raise KeyError("undecided")


async def test_a_stream_whose_limits_can_not_judge_its_failure_gives_all_of_them_back(clock: VirtualClock) -> None:
    a, b, c = Limit(1, name="a"), Limit("1-1-1", overloaded=undecided), Limit(1, breaker=5, overloaded=undecided)

    @tool(limit=[a, b, c])
    async def write() -> AsyncIterator[int]:
        yield 1
        raise Moody

    with pytest.raises(KeyError):
        [n async for n in write()]
    for limit in (a, b, c):
        state: Any = state_of(limit, current())
        assert state.taken == 0


async def test_who_waits_for_a_second_limit_and_gives_up_has_used_nothing_of_the_first(clock: VirtualClock) -> None:
    first = Limit(name="tokens", tokens_in_per_minute=1000, per_minute=3, estimate=lambda *_: (900, 0))
    second = Limit(1, name="second", waiting=1)
    both, only = tool(limit=[first, second])(serve.body), tool(limit=second)(serve.body)

    @tool(limit=[first, second])
    async def stream() -> AsyncIterator[int]:
        yield 1

    async def read() -> list[int]:
        return [n async for n in stream()]

    holder = asyncio.create_task(only(0, 100))
    await asyncio.sleep(0)
    for waits in (both(1), read()):
        task = asyncio.create_task(waits)
        await asyncio.sleep(1)
        assert door(first).taken == 1
        task.cancel()
        await asyncio.wait([task])
    impatient = asyncio.create_task(only(0))
    await asyncio.sleep(0)
    with pytest.raises(Refused):  # as many wait for the second as may
        await both(2)
    used = door(first).gates.statistics(clock.time())["used"]
    assert used == {"per_minute": (0, 3), "tokens_in_per_minute": (0, 1000)}
    await asyncio.gather(holder, impatient)


async def test_who_waits_for_another_limit_begins_beside_no_more_than_the_first_allows(
    clock: VirtualClock,
) -> None:
    rate, places = Limit(per_second=4, name="rate"), Limit(3, name="places")
    began: list[float] = []

    @tool(limit=[rate, places])
    async def ask(seconds: float) -> None:
        began.append(clock.time())
        await asyncio.sleep(seconds)

    holders = [ask(10.0) for _ in range(3)]
    tasks = [asyncio.create_task(call) for call in holders]
    await asyncio.sleep(1)
    places.retune(in_flight=3)
    waiting = [asyncio.create_task(ask(0.0)) for _ in range(20)]
    await asyncio.sleep(8)
    places.retune(in_flight=100)  # all who wait for a place get one at this moment
    await asyncio.gather(*tasks, *waiting)
    assert len(began) == 23
    assert max(sum(0 <= other - first < 0.999 for other in began) for first in began) <= 4
    assert began[-1] < 9 + 20 / 4 + 1


async def test_waiting_for_another_limit_is_no_latency_of_the_server(clock: VirtualClock) -> None:
    found, places = Limit("4-8-8", name="found"), Limit(1, name="places")

    @tool(limit=[found, places])
    async def ask() -> None:
        await asyncio.sleep(1)

    await gather([ask() for _ in range(100)])
    assert door(found).gates.statistics(clock.time())["cuts"] == 0


async def test_each_attempt_is_admitted_by_all_of_them_again(clock: VirtualClock) -> None:
    chance = random.Random(1)
    limits = [Limit(2, retries=None), Limit("1-2-8", per_second=5, retries=None), Limit(3, per_minute=99, retries=None)]

    @tool(limit=limits, retry=Retry(on=Busy, attempts=50, wait=0.1), effect="read")
    async def ask(number: int) -> int:
        await asyncio.sleep(0.1)
        if chance.random() < 0.1:
            raise Busy
        return number

    assert await gather([ask(n) for n in range(30)]) == list(range(30))
    for limit in limits:
        state: Any = state_of(limit, current())
        assert state.taken == 0


@pytest.mark.parametrize("option", ["timeout", "idle_timeout"])
async def test_a_stream_that_hangs_is_too_much_load(option: str) -> None:
    limit = Limit("1-4-8", tokens_out_per_minute=1000, estimate=lambda: (0, 300))

    @tool(limit=limit, **{option: 0.05})  # type: ignore[call-overload, untyped-decorator]
    async def write() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(3600)

    async with Runtime(stall=None):
        with pytest.raises(TimedOutError):
            [n async for n in write()]
        while door(limit).taken:
            await asyncio.sleep(0.001)
        shown = door(limit).gates.statistics(asyncio.get_running_loop().time())
        assert shown["cuts"] == 1
        assert shown["used"]["tokens_out_per_minute"] == (300, 1000)


async def test_who_waits_for_tokens_holds_no_place_of_another_limit(clock: VirtualClock) -> None:
    places, tokens = Limit(2, name="places"), Limit(tokens_in_per_minute=100, estimate=lambda *_: (100, 0))
    both, only = tool(limit=[places, tokens])(serve.body), tool(limit=places)(serve.body)
    greedy = [asyncio.create_task(both(n)) for n in range(5)]
    await asyncio.sleep(2)
    began = clock.time()
    await gather([only(n) for n in range(10)])
    assert clock.time() - began == pytest.approx(5, abs=0.1)
    for task in greedy:
        task.cancel()
    await asyncio.wait(greedy)
