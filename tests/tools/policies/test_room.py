"""Who waits is served by priority and fairly between tenants; who can't wait learns it at once, and why."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from linecook import Limit, agent, charge, gather, settle, tenant, tool
from linecook._runtime import current
from linecook.errors import Refused
from linecook.testing import VirtualClock
from tests.tools.policies.kitchen import door, order, places, serve


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


async def test_what_came_in_is_not_kept_in_case_somebody_must_be_shed(clock: VirtualClock) -> None:
    few = tool(limit=Limit(1, waiting=50, when_full="shed_oldest"))(serve.body)
    for _ in range(20):
        await gather([few(n, 0.001) for n in range(30)])
    assert sum(len(line) for line in places(few, current()).room._arrivals.values()) < 300


async def test_ten_thousand_tenants_that_give_up_cost_ten_thousand_steps(clock: VirtualClock) -> None:
    one = tool(limit=Limit(1, waiting=10_000))(serve.body)
    looks = 0

    async def customer(number: int) -> None:
        with tenant(f"customer {number}"):
            await one(number, 1e6)

    tasks = [asyncio.create_task(customer(n)) for n in range(3_000)]
    await asyncio.sleep(0)
    room = places(one, current()).room
    assert room.waiting == 2_999

    def count(*_: Any) -> None:
        nonlocal looks
        looks += 1

    try_take = room._gates.try_take
    room._gates = SimpleNamespace(
        try_take=lambda *what: count() or try_take(*what), next_at=room._gates.next_at, refuses=room._gates.refuses,
        never_fits=room._gates.never_fits, taken=1, give_back=room._gates.give_back, reserve=room._gates.reserve,
    )  # type: ignore[assignment]  # fmt: skip
    for task in tasks[1:]:
        task.cancel()
    await asyncio.wait(tasks[1:])
    assert room.waiting == 0
    assert looks <= 10  # only the head of the line asks
    tasks[0].cancel()
    await asyncio.wait(tasks)


async def test_when_the_head_of_the_line_is_shed_the_next_is_looked_at(clock: VirtualClock) -> None:
    limit = Limit(tokens_in_per_minute=100, estimate=lambda n: (n, 0), waiting=2, when_full="shed_oldest")

    @tool(limit=limit)
    async def ask(tokens: int) -> float:
        await asyncio.sleep(1)
        charge(tokens_in=tokens)
        return clock.time()

    outcomes = await settle([ask(50), ask(90), ask(40), ask(10)])
    assert [type(one).__name__ for one in outcomes] == ["Ok", "Failed", "Ok", "Ok"]
    assert outcomes.results == pytest.approx([1, 1, 1], abs=0.01)


async def test_when_nobody_waits_no_timer_does(clock: VirtualClock) -> None:
    one = tool(limit=Limit(per_minute=1))(serve.body)
    await one(0, 0.0)
    waits = asyncio.create_task(one(1))
    await asyncio.sleep(0)
    room = door(one.limit).room
    assert room._timer is not None
    waits.cancel()
    await asyncio.wait([waits])
    assert room._timer is None


async def test_an_estimate_is_asked_for_once_per_attempt(clock: VirtualClock) -> None:
    asked: list[int] = []

    def tokens(number: int) -> tuple[float, float]:
        asked.append(number)
        return 60, 0

    @tool(limit=Limit(1, tokens_in_per_minute=100, estimate=tokens))
    async def ask(number: int) -> None:
        await asyncio.sleep(1)
        charge(tokens_in=1)

    await gather([ask(n) for n in range(5)])
    assert sorted(asked) == list(range(5))
