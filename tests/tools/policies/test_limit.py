"""A limit lets so many in, keeps the others in line, fairly, and never loses a place."""

import asyncio
import random
from typing import Any

import pytest

from linecook import Limit, Runtime, agent, fail_after, gather, settle, tool
from linecook.errors import Refused, TimedOutError
from linecook.testing import VirtualClock
from linecook.tools.policies.limit import Places, places_of

order: list[int] = []


@tool(limit=2)
async def serve(table: int = 0, seconds: float = 1.0) -> int:
    order.append(table)
    await asyncio.sleep(seconds)
    return table


def places(made: Any, runtime: Runtime) -> Places:
    return places_of(made.limit, runtime)


async def test_no_more_than_the_limit_are_in_flight(clock: VirtualClock) -> None:
    busy = most = 0

    @tool(limit=3)
    async def count() -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(1)
        busy -= 1

    await gather([count() for _ in range(10)])
    assert most == 3
    assert clock.time() == pytest.approx(4, abs=0.1)


async def test_first_come_first_served(clock: VirtualClock) -> None:
    order.clear()
    await gather([serve(table) for table in range(20)])
    assert order == list(range(20))


async def test_the_urgent_go_first_and_the_patient_are_not_starved(clock: VirtualClock) -> None:
    order.clear()
    one = tool(limit=1)(serve.body)
    batch, chat = one.options(priority="batch"), one.options(priority="interactive")
    assert batch.limit is chat.limit is one.limit
    first = asyncio.create_task(one(-1))
    await asyncio.sleep(0)
    await gather(*(batch(1000 + n) for n in range(3)), *(chat(n) for n in range(40)), *(one(100 + n) for n in range(3)))
    await first
    assert order[:10] == [-1, *range(9)]
    assert order.index(1000) < order.index(39)  # every 16th place goes to a class that waits


async def test_priority_is_inherited_from_the_agent(clock: VirtualClock) -> None:
    order.clear()
    one = tool(limit=1)(serve.body)

    @agent(priority="batch")
    async def night(table: int) -> int:
        return await one(table)

    @agent(priority="interactive")
    async def chat(table: int) -> int:
        return await one(table)

    first = asyncio.create_task(one(-1))
    await asyncio.sleep(0)
    await gather(night(1), night(2), chat(3))
    await first
    assert order == [-1, 3, 1, 2]


async def test_one_limit_may_be_shared_by_several_tools(clock: VirtualClock) -> None:
    api = Limit(1, name="api")

    @tool(limit=api)
    async def read() -> None:
        await asyncio.sleep(1)

    @tool(limit=api)
    async def write() -> None:
        await asyncio.sleep(1)

    await gather(read(), write(), read())
    assert clock.time() == pytest.approx(3, abs=0.1)


async def test_one_more_than_may_wait_is_refused_at_once(clock: VirtualClock) -> None:
    few = tool(limit=Limit(1, name="few", waiting=2))(serve.body)
    tasks = [asyncio.create_task(few(n)) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as caught:
        await few(3)
    assert caught.value.work == "not started"
    for said in ("serve(3) was refused", "1 calls are in flight and 2 wait", "Limit(1, name='few')", "waiting="):
        assert said in str(caught.value)
    assert await asyncio.gather(*tasks) == [0, 1, 2]


async def test_waiting_zero_refuses_whoever_finds_no_place(clock: VirtualClock) -> None:
    now_or_never = tool(limit=Limit(1, waiting=0))(serve.body)
    first = asyncio.create_task(now_or_never(1))
    await asyncio.sleep(0)
    with pytest.raises(Refused):
        await now_or_never(2)
    assert await first == 1


async def test_callers_that_gave_up_do_not_fill_the_waiting_room(clock: VirtualClock) -> None:
    few = tool(limit=Limit(1, waiting=100))(serve.body)
    hung = asyncio.create_task(few(0, 1e6))
    await asyncio.sleep(0)
    impatient = few.options(timeout=0.01)
    for _ in range(20):
        outcomes = await settle([impatient(n) for n in range(50)])
        assert outcomes.counts["timed_out"] == 50
    from linecook._runtime import current

    held = places(few, current())
    assert held.waiting == 0
    assert len(held._queue) <= 150
    hung.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hung
    assert await few(1) == 1


async def test_a_place_granted_to_one_that_is_cancelled_in_the_same_moment_is_passed_on(clock: VirtualClock) -> None:
    one = tool(limit=1)(serve.body)
    first = asyncio.create_task(one(0, 1.0))
    await asyncio.sleep(0)
    second, third = asyncio.create_task(one(1)), asyncio.create_task(one(2))
    await asyncio.sleep(0)
    from linecook._runtime import current

    held = places(one, current())
    first.add_done_callback(lambda _: second.cancel())
    assert await first == 0
    with pytest.raises(asyncio.CancelledError):
        await second
    assert await third == 2
    assert held.taken == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7])
async def test_ten_thousand_cancels_at_random_moments_lose_no_place(seed: int) -> None:
    chance = random.Random(seed)
    limited = tool(limit=7)(serve.body)
    loop = asyncio.get_running_loop()
    async with Runtime(stall=None) as runtime:
        for _ in range(10):
            tasks = [loop.create_task(limited(0, chance.random() * 0.002)) for _ in range(1000)]
            for task in tasks:
                chance.choice([lambda t=task: loop.call_soon(t.cancel), lambda t=task: loop.call_later(
                    chance.random() * 0.05, t.cancel
                )])()  # fmt: skip
            await asyncio.wait(tasks)
        held = places(limited, runtime)
        assert held.taken == 0
        assert held.waiting == 0
        assert await limited(5, 0) == 5


async def test_a_limit_counts_for_each_runtime() -> None:
    limited = tool(limit=1)(serve.body)
    async with Runtime(stall=None) as outer:
        held = places(limited, outer)
        assert held.try_take()
        assert not held.try_take()
        async with Runtime(stall=None) as inner:
            assert await limited(3, 0) == 3
            assert places(limited, inner) is not held
        held.give_back()
        assert held.taken == 0


async def test_statistics_show_the_limit_and_its_bounds(clock: VirtualClock) -> None:
    async with Runtime(stall=None) as runtime:
        tasks = [asyncio.create_task(serve(n)) for n in range(5)]
        await asyncio.sleep(0.5)
        (shown,) = runtime.statistics()["limits"].values()
        assert shown == {"in_flight": 2, "waiting": 3, "max_in_flight": 2, "max_waiting": 10_000}
        assert "Limit(2, name='serve')" in runtime.statistics()["limits"]
        await asyncio.gather(*tasks)


async def test_waiting_for_a_place_counts_as_queueing_and_ends_at_the_deadline(clock: VirtualClock) -> None:
    one = tool(limit=1, timeout=5)(serve.body)
    first = asyncio.create_task(one.options(timeout=None)(0, 100.0))
    await asyncio.sleep(0)
    with pytest.raises(TimedOutError) as caught:
        await one(1)
    assert (caught.value.work, caught.value.attempt, caught.value.running) == ("not started", 0, 0.0)
    assert caught.value.queued == pytest.approx(5, abs=0.1)
    assert "It never began." in str(caught.value)
    with pytest.raises(TimedOutError):
        with fail_after(3):
            await one(2)
    assert await first == 0


async def test_limits_sit_on_leaves_so_agents_below_agents_never_wait_for_each_other(clock: VirtualClock) -> None:
    @agent
    async def dig(depth: int) -> int:
        await serve(depth)
        return depth if depth == 0 else sum(await gather([dig(depth - 1) for _ in range(2)]))

    assert await dig(5) == 0


async def test_no_bound_is_no_bound(clock: VirtualClock) -> None:
    free = tool(limit=Limit(None))(serve.body)
    await gather([free(n) for n in range(100)])
    assert clock.time() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"in_flight": 0}, ValueError, "Limit's in_flight must be 1 or more, not 0"),
        ({"in_flight": True}, TypeError, "Limit's in_flight must be a whole number, not True"),
        ({"in_flight": "8"}, TypeError, "Limit's in_flight must be a whole number, not '8'"),
        ({"in_flight": 1.5}, TypeError, "Limit's in_flight must be a whole number"),
        ({"in_flight": 1, "waiting": -1}, ValueError, "Limit's waiting must be 0 or more, not -1"),
        ({"in_flight": 1, "waiting": None}, TypeError, "every queue has a bound"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(arguments: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        Limit(**arguments)
