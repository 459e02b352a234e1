"""Calls go in by what a limit has left, and tell it when they leave what they used and how the server is."""

import asyncio
import datetime
import email.utils
from typing import Any

import pytest

from linecook import Failed, Limit, Ok, Retry, Runtime, charge, gather, settle, tool
from linecook._runtime import current
from linecook.errors import Refused
from linecook.observe import Event
from linecook.testing import VirtualClock
from tests.tools.policies.kitchen import Busy, door


async def test_no_more_begin_in_any_second_and_any_minute_than_may(clock: VirtualClock) -> None:
    began: list[float] = []

    @tool(limit=Limit(per_second=3, per_minute=20))
    async def ask() -> None:
        began.append(clock.time())

    await gather([ask() for _ in range(45)])
    for length, most in ((1.0, 3), (60.0, 20)):
        assert all(sum(0 <= later - first < length - 1e-3 for later in began) <= most for first in began)
    assert clock.time() == pytest.approx(121, abs=0.5)  # 20 + 20 + 5: and not a minute later


async def test_tokens_that_were_not_used_let_in_who_waits_at_once(clock: VirtualClock) -> None:
    @tool(limit=Limit(tokens_out_per_minute=1000, estimate=lambda used: (0, 500)))
    async def ask(used: int) -> float:
        began = clock.time()
        await asyncio.sleep(2)
        charge(tokens_out=used)
        return began

    began = await gather([ask(100) for _ in range(6)])
    assert began == pytest.approx([0, 0, 2, 4, 6, 8], abs=0.01)
    assert await ask(500) == pytest.approx(62, abs=0.1)  # 600 are used, until the first ones are a minute old


async def test_without_an_estimate_a_few_go_ahead_and_the_others_follow_what_they_cost(clock: VirtualClock) -> None:
    busy = most = 0

    @tool(limit=Limit(tokens_in_per_minute=8000))
    async def ask() -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(1)
        charge(tokens_in=10)
        busy -= 1

    await gather([ask() for _ in range(8)])
    assert most == 8
    await gather([ask() for _ in range(100)])
    assert most == 100


async def test_an_estimate_that_fails_or_says_nonsense_is_the_callers_to_see_and_holds_nothing(
    clock: VirtualClock,
) -> None:
    limit = Limit(1, tokens_in_per_minute=1000, estimate=lambda text: text and (1 / 0, 0))

    @tool(limit=limit)
    async def ask(text: str) -> None: ...

    with pytest.raises(ZeroDivisionError):
        await ask("x")
    with pytest.raises(TypeError, match=r"estimate= of Limit\(1, tokens_in_per_minute=1000"):
        await ask("")
    assert (door(limit).taken, door(limit).waiting) == (0, 0)


@pytest.mark.parametrize("options", [{"in_flight": 3}, {"in_flight": "1-3-9"}, {"in_flight": 3, "per_minute": 1000}])
async def test_retry_after_of_one_call_keeps_all_others_out(options: Any, clock: VirtualClock) -> None:
    began: list[float] = []

    @tool(limit=Limit(**options))
    async def ask(told: float) -> None:
        began.append(clock.time())
        await asyncio.sleep(1)
        if told:
            raise Busy(told)

    outcomes = await settle([ask(30), ask(0), ask(0), ask(0), ask(0)])
    assert outcomes.counts == {"ok": 4, "failed": 1, "timed_out": 0, "cancelled": 0}
    assert began[:3] == pytest.approx([0, 0, 0], abs=0.01)
    assert min(began[3:]) == pytest.approx(31, abs=0.01)
    (shown,) = current().statistics()["limits"].values()
    assert shown["pauses"] == 1


@pytest.mark.parametrize("options", [{"in_flight": 1}, {"in_flight": "1-1-9"}])
async def test_a_retry_after_of_ten_days_turns_everybody_away_and_is_tried_in_ten_minutes(
    options: Any, clock: VirtualClock
) -> None:
    @tool(limit=Limit(**options))
    async def ask(told: float) -> str:
        await asyncio.sleep(1)
        if told:
            raise Busy(told)
        return "served"

    outcomes = await settle([ask(864_000), ask(0), ask(0)])
    assert clock.time() < 2
    for one in outcomes.failures[1:]:
        assert "lets nobody in: the server asked to stay away for more than 600 s" in str(one.error)
    with pytest.raises(Refused):
        await ask(0)
    await asyncio.sleep(600)
    assert await ask(0) == "served"


async def test_retry_after_may_be_a_date(clock: VirtualClock) -> None:
    in_a_while = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)

    @tool(limit=Limit(5))
    async def ask(told: Any) -> float:
        if told:
            raise Busy(told)
        return clock.time()

    await settle([ask(email.utils.format_datetime(in_a_while, usegmt=True))])
    assert 50 < await ask(None) <= 60


@pytest.mark.parametrize("told", ["soon", -5, "-3", float("nan"), None, "Wed, 21 Oct 2015 07:28:00 GMT"])
async def test_a_retry_after_that_says_nothing_pauses_nothing(told: Any, clock: VirtualClock) -> None:
    @tool(limit=Limit(5))
    async def ask(told: Any) -> None:
        if told is not False:
            raise Busy(told)

    await settle([ask(told)])
    await ask(False)
    assert clock.time() < 0.01


@pytest.mark.parametrize("options", [{"timeout": 0.02}, {"attempt_timeout": 0.02}])
async def test_time_outs_of_a_hung_server_cut_the_bound(options: Any) -> None:
    limit = Limit("1-4-8")

    @tool(limit=limit, **options)
    async def ask() -> None:
        await asyncio.sleep(60)

    async with Runtime(stall=None):
        outcomes = await settle([ask() for _ in range(4)])
        assert outcomes.counts["timed_out"] == 4
        assert door(limit).gates.statistics(0.0)["cuts"] == 1


async def test_waiting_for_a_limit_is_not_charged_to_the_attempt(clock: VirtualClock) -> None:
    @tool(limit=Limit(per_minute=1), attempt_timeout=5)
    async def ask() -> None:
        await asyncio.sleep(1)

    calls = [ask.call() for _ in range(3)]
    await gather(calls)
    assert [round(call.times.queued) for call in calls] == [0, 60, 120]
    assert [call.times.attempts for call in calls] == [1, 1, 1]


# A fan-out that met 429 was wiped, with 234,000 tokens: https://github.com/anthropics/claude-code/issues/68968
async def test_a_storm_of_429s_costs_one_episode(clock: VirtualClock) -> None:
    asked: list[float] = []
    limit = Limit("1-32-64")

    @tool(limit=limit, retry=Retry(on=Busy, attempts=20, timeout=None), effect="read")
    async def ask(n: int) -> int:
        asked.append(clock.time())
        await asyncio.sleep(0.1)
        if clock.time() < 20:
            raise Busy(20 - clock.time())
        return n

    assert await gather([ask(n) for n in range(200)]) == list(range(200))
    assert sum(when < 20 for when in asked) <= 40  # what was in flight, and a few; not 200 calls every second
    assert door(limit).gates.statistics(0.0)["cuts"] == 1


async def test_the_history_of_the_bound_is_in_the_event_stream(clock: VirtualClock) -> None:
    limit, events = Limit("1-8-64", name="api", key="host"), list[Event]()

    @tool(limit=limit)
    async def ask(host: str) -> None:
        raise Busy

    stop = current().subscribe(events.append)
    await settle([ask("h") for _ in range(8)])
    stop()
    (event,) = [event for event in events if event.kind == "limit.changed"]
    assert event.data == {"limit": limit, "key": "h", "what": "in_flight", "before": 8, "after": 6, "reason": "refused"}


async def test_a_circuit_that_opens_turns_away_who_waits_and_closes_again(clock: VirtualClock) -> None:
    is_down = True

    @tool(limit=Limit(2, breaker=4))
    async def ask() -> str:
        await asyncio.sleep(0.1)
        if is_down:
            raise ConnectionRefusedError
        return "served"

    outcomes = await settle([ask() for _ in range(50)])
    kinds = [type(one.error).__name__ for one in outcomes.failures]
    assert 4 <= kinds.count("ConnectionRefusedError") <= 6
    assert kinds.count("Refused") == 50 - kinds.count("ConnectionRefusedError")
    is_down = False
    with pytest.raises(Refused, match="the circuit is open after failures in a row"):
        await ask()
    await asyncio.sleep(1)
    first, second = await settle([ask(), ask()])
    assert isinstance(first, Ok)
    assert isinstance(second, Failed)  # one tries, the other is refused
    assert await ask() == "served"


async def test_a_users_own_word_on_overload_counts_and_one_that_fails_holds_nothing(clock: VirtualClock) -> None:
    limit = Limit("1-10-20", overloaded=lambda error: "quota" in error.args[0])

    @tool(limit=limit)
    async def ask(*said: str) -> None:
        raise ValueError(*said)

    with pytest.raises(ValueError, match="quota"):
        await ask("quota exceeded")
    assert door(limit).gates.statistics(0.0)["cuts"] == 1
    with pytest.raises(IndexError):
        await ask()
    assert door(limit).taken == 0
