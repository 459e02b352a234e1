"""A fixed number in flight lets so many in, keeps the others in line, and never loses a place."""

import asyncio
import random
from typing import Any

import pytest

from linecook import Limit, Runtime, agent, fail_after, gather, settle, tool
from linecook._runtime import current
from linecook.errors import TimedOutError
from linecook.observe import Event
from linecook.testing import VirtualClock
from linecook.tools.policies.states import state_of
from tests.tools.policies.kitchen import Busy, order, places, serve


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


async def test_callers_that_gave_up_do_not_fill_the_waiting_room(clock: VirtualClock) -> None:
    few = tool(limit=Limit(1, waiting=100))(serve.body)
    hung = asyncio.create_task(few(0, 1e6))
    await asyncio.sleep(0)
    impatient = few.options(timeout=0.01)
    for _ in range(20):
        outcomes = await settle([impatient(n) for n in range(50)])
        assert outcomes.counts["timed_out"] == 50
    held = places(few, current())
    assert held.waiting == 0
    assert len(held.room._queue) <= 150
    hung.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hung
    assert await few(1) == 1


async def test_a_place_granted_to_one_that_is_cancelled_in_the_same_moment_is_passed_on(clock: VirtualClock) -> None:
    began: list[int] = []

    @tool(limit=1)
    async def one(number: int) -> int:
        began.append(number)
        await asyncio.sleep(1)
        if number == 0:
            asyncio.get_running_loop().call_soon(second.cancel)  # after it is let in, and before it wakes up
        return number

    first = asyncio.create_task(one(0))
    await asyncio.sleep(0)
    second, third = asyncio.create_task(one(1)), asyncio.create_task(one(2))
    await asyncio.sleep(0)
    held = places(one, current())
    assert await first == 0
    with pytest.raises(asyncio.CancelledError):
        await second
    assert await third == 2
    assert began == [0, 2]
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
        assert held.try_take_place()
        assert not held.try_take_place()
        async with Runtime(stall=None) as inner:
            assert await limited(3, 0) == 3
            assert places(limited, inner) is not held
        held.give_place_back()
        assert held.taken == 0


async def test_statistics_show_the_limit_and_its_bounds(clock: VirtualClock) -> None:
    async with Runtime(stall=None) as runtime:
        tasks = [asyncio.create_task(serve(n)) for n in range(5)]
        await asyncio.sleep(0.5)
        (shown,) = runtime.statistics()["limits"].values()
        assert shown == {
            "in_flight": 2, "waiting": 3, "max_in_flight": 2, "max_waiting": 10_000, "refused": 0,
            "waited": 3, "waited_for": 0.0,
        }  # fmt: skip
        assert "Limit(2, name='serve')" in runtime.statistics()["limits"]
        await asyncio.gather(*tasks)
        (shown,) = runtime.statistics()["limits"].values()
        assert (shown["waited"], shown["waited_for"]) == (3, pytest.approx(4.0, abs=0.1))


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


# A slot held for a whole agent, which waits for a child that needs one: https://github.com/can1357/oh-my-pi/issues/3749
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


async def test_a_call_whose_coroutine_is_closed_while_it_waits_leaves_its_place_in_line(clock: VirtualClock) -> None:
    one = tool(limit=1)(serve.body)
    first = asyncio.create_task(one(1))
    await asyncio.sleep(0)
    waiting = one.call(2)
    waiting.send(None)
    assert places(one, current()).waiting == 1
    waiting.close()
    assert places(one, current()).waiting == 0
    assert await first == 1
    assert await one(3) == 3


async def test_lowered_below_what_is_in_flight_nobody_is_ended_and_raised_it_lets_in_at_once(
    clock: VirtualClock,
) -> None:
    limit = Limit(4)
    one = tool(limit=limit)(serve.body)
    tasks = [asyncio.create_task(one(n)) for n in range(12)]
    await asyncio.sleep(0.5)
    limit.retune(in_flight=1)
    state: Any = state_of(limit, current())
    assert state.taken == 4
    await asyncio.sleep(1)
    assert state.taken == 1
    limit.retune(in_flight=7)
    assert state.taken == 7
    assert await asyncio.gather(*tasks) == list(range(12))
    assert clock.time() == pytest.approx(3, abs=0.1)


async def test_a_plain_limit_tells_its_changes_and_pauses_and_why_calls_wait(clock: VirtualClock) -> None:
    limit, events = Limit(2, name="stove"), list[Event]()

    @tool(limit=limit)
    async def cook(problem: Exception | None = None) -> None:
        await asyncio.sleep(1)
        if problem is not None:
            raise problem

    async with Runtime(stall=None) as runtime:
        stop = runtime.subscribe(events.append)
        await settle([cook(Busy(8))])
        waiting = asyncio.create_task(cook.call())
        await asyncio.sleep(1)
        (shown,) = runtime.statistics()["limits"].values()
        assert (shown["held_up"], shown["paused_by"]) == ("paused by Retry-After for 7.0 s", "Retry-After")
        limit.retune(in_flight=5)  # in a pause: it holds from its end
        stop()
        await waiting
        assert places(cook, runtime).bound == 5
    told = [(event.kind, *list(event.data.values())[1:]) for event in events]
    assert told == [
        ("limit.paused", pytest.approx(8), "Retry-After"),
        ("limit.changed", "in_flight", 2, 5, "retuned"),
    ]
    assert all(event.data["limit"] is limit for event in events)
