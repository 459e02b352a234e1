"""Who waits is served by priority and fairly between tenants; who can't wait learns it at once, and why."""

import asyncio

import pytest

from linecook import Limit, agent, gather, settle, tenant, tool
from linecook._runtime import current
from linecook.errors import Refused
from linecook.testing import VirtualClock
from tests.tools.policies.kitchen import order, serve


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


async def test_a_tenant_with_few_calls_does_not_wait_behind_one_with_many(clock: VirtualClock) -> None:
    one = tool(limit=Limit(10))(serve.body)

    async def customer(name: str, calls: int) -> float:
        with tenant(name):
            await gather([one(n) for n in range(calls)])
        return clock.time()

    ends = await asyncio.gather(customer("big", 1000), *(customer(f"small {n}", 10) for n in range(10)))
    assert max(ends[1:]) == pytest.approx(12, abs=1)  # eleven tenants, ten calls each, ten at a time; and what ran
    assert ends[0] == pytest.approx(110, abs=1)


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


async def test_refuse_is_for_who_would_have_to_wait(clock: VirtualClock) -> None:
    now = tool(limit=Limit(1, when_full="refuse"))(serve.body)
    first = asyncio.create_task(now(1))
    await asyncio.sleep(0)
    with pytest.raises(Refused, match=r"1 calls are in flight and nobody may wait \(when_full='refuse'\)"):
        await now(2)
    assert await first == 1
    assert await now(3) == 3


async def test_the_one_that_waited_longest_makes_room(clock: VirtualClock) -> None:
    few = tool(limit=Limit(1, waiting=2, when_full="shed_oldest"))(serve.body)
    outcomes = await settle([few(n) for n in range(5)])
    assert [type(one).__name__ for one in outcomes] == ["Ok", "Failed", "Failed", "Ok", "Ok"]
    assert "the one that waited longest made room" in str(outcomes.failures[0].error)
    shown = current().statistics()["limits"][str(few.limit)]
    assert shown["refused"] == 2


async def test_the_urgent_are_not_shed_for_the_patient(clock: VirtualClock) -> None:
    few = tool(limit=Limit(1, waiting=2, when_full="shed_oldest"))(serve.body)
    chat, batch = few.options(priority="interactive"), few.options(priority="batch")
    outcomes = await settle([few(0), batch(1), chat(2), chat(3), batch(4)])
    assert [type(one).__name__ for one in outcomes] == ["Ok", "Failed", "Ok", "Ok", "Failed"]


async def test_a_call_that_could_never_be_let_in_is_refused_with_the_figures(clock: VirtualClock) -> None:
    @tool(limit=Limit(name="m", tokens_in_per_minute=1000, estimate=lambda text: (len(text), 0)))
    async def ask(text: str) -> None: ...

    with pytest.raises(Refused, match=r"its estimate is 5,000 tokens, and .* has tokens_in_per_minute=1,000: it could"):
        await ask("x" * 5000)
    await ask("x" * 1000)


async def test_a_clock_that_jumps_hours_ahead_spins_nothing(clock: VirtualClock) -> None:
    limit = Limit(per_second=1, per_minute=10)
    one = tool(limit=limit)(serve.body)
    tasks = [asyncio.create_task(one(n, 0.0)) for n in range(30)]
    turns, loop = 0, asyncio.get_running_loop()

    def count() -> None:
        nonlocal turns
        turns += 1
        if not all(task.done() for task in tasks):
            loop.call_later(0.5, count)

    count()
    for _ in range(3):
        await asyncio.sleep(1.5)
        clock.advance(3600)
    assert sorted(await asyncio.gather(*tasks)) == list(range(30))
    assert turns < 1000
