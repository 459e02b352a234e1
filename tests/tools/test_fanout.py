"""The engine: what it promises to the four that use it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from linecook import Cancelled, Ok, Outcome, Runtime, agent, settle
from linecook.errors import TimedOutError
from linecook.tools.fanout import FanOut, check_limit, late


@agent
async def nap(seconds: float, answer: Any = None) -> Any:
    await asyncio.sleep(seconds)
    return answer


def started(source: Any, limit: int | None = 2, grace: float = 0.5) -> tuple[FanOut, list[tuple[int, Outcome[Any]]]]:
    told: list[tuple[int, Outcome[Any]]] = []
    fanout = FanOut("settle", source, limit, lambda index, outcome: told.append((index, outcome)), grace)
    fanout.fill()
    return fanout, told


async def test_each_item_is_told_once_in_the_step_in_which_it_ends(clock):
    fanout, told = started(nap(seconds, seconds) for seconds in (3, 1, 1))
    assert len(fanout.running) == 2
    await fanout.wait_over()
    assert told == [(1, Ok(1)), (2, Ok(1)), (0, Ok(3))]
    assert fanout.over
    assert fanout.exhausted
    assert not fanout.running


async def test_the_next_begins_in_the_very_step_in_which_one_ends(clock):
    steps: list[str] = []

    @agent
    async def work(name: str) -> None:
        steps.append(f"{name} begins in turn {turn}")
        await asyncio.sleep(0)
        steps.append(f"{name} ends in turn {turn}")

    turn = 0

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await settle((work(name) for name in "abc"), limit=1)
    counting.cancel()
    ends = [int(step.rsplit(" ", 1)[1]) for step in steps if "ends" in step]
    begins = [int(step.rsplit(" ", 1)[1]) for step in steps if "begins" in step]
    assert all(begin - end <= 1 for end, begin in zip(ends, begins[1:], strict=False))


async def test_what_is_unread_counts_against_the_window(clock):
    fanout, told = started((nap(1, number) for number in range(10)), limit=4)
    fanout.unread = told
    await asyncio.sleep(60)
    assert len(told) == 4
    told.pop()
    fanout.fill()
    assert len(fanout.running) == 1
    fanout.stop("caller")
    await fanout.see_end()


async def test_stop_asks_once_and_begins_nothing_more(clock):
    asked: list[str] = []

    @agent
    async def listens() -> None:
        while True:
            try:
                await asyncio.sleep(0.2 if asked else 3600)
                return
            except asyncio.CancelledError as error:
                asked.append(str(error))

    fanout, told = started(listens() for _ in range(5))
    await asyncio.sleep(1)
    fanout.stop("sibling")
    fanout.stop("deadline")
    await fanout.see_end()
    assert asked == ["sibling", "sibling"]
    assert [outcome for _, outcome in told] == [Ok(None), Ok(None)]  # they chose to answer


async def test_drain_lets_what_runs_go_on(clock):
    fanout, told = started(nap(1, number) for number in range(5))
    fanout.drain()
    await fanout.wait_over()
    assert told == [(0, Ok(0)), (1, Ok(1))]
    rest = await fanout.rest()
    assert [call.index for call in rest] == [2, 3, 4]


async def test_the_runtime_tells_it_when_it_drains(clock):
    async with Runtime() as runtime:
        fanout, _ = started(nap(1, number) for number in range(5))
        runtime.drain()
        assert fanout.draining
        assert not fanout.feeding
        await fanout.wait_over()


async def test_what_would_not_end_in_time_is_told_as_abandoned_and_not_told_again(clock, caplog):
    @agent
    async def slow_to_go() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(1)

    fanout, told = started([slow_to_go()], grace=0.2)
    await asyncio.sleep(1)
    fanout.stop("sibling")
    await fanout.see_end()
    assert told == [(0, Cancelled("sibling"))]
    assert told[0][1].work == "abandoned"
    await asyncio.sleep(5)
    assert len(told) == 1


async def test_the_rest_of_a_long_input_is_taken_in_turns_of_the_loop():
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def calls() -> Iterator[Any]:
        for number in range(10_000):
            yield nap(60, number)

    fanout, _ = started(calls(), limit=1)
    counting = asyncio.create_task(count())
    fanout.stop("caller")
    assert len(await fanout.rest()) == 9_999
    counting.cancel()
    assert turns >= 5
    await fanout.see_end()


@pytest.mark.parametrize("limit", [None, 1, 10**9])
def test_a_limit_is_none_or_1_or_more(limit):
    assert check_limit(limit, "settle") == limit


def test_a_late_call_says_whose_time_out_it_was():
    call = nap.call(1)
    outcome = late(call, 2.5, "settle", "not started")
    call.close()
    assert outcome.after == 2.5
    assert outcome.call is call
    assert outcome.work == "not started"
    assert isinstance(outcome.error, TimedOutError)
    assert "nap(1) had not ended when settle(timeout=2.5) passed" in str(outcome.error)
    assert outcome.error.whose == "timeout of settle"
