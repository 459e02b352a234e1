"""What a limit takes and refuses when it is made, and when it is retuned while calls run."""

import asyncio
import threading
from typing import Any

import pytest

from linecook import Limit, Runtime, run, tool
from linecook._runtime import current
from linecook.errors import UsageError
from linecook.testing import VirtualClock
from tests.tools.policies.kitchen import door, places, serve


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"in_flight": 0}, ValueError, "Limit's in_flight must be 1 or more, not 0"),
        ({"in_flight": True}, TypeError, "Limit's in_flight must be a whole number, not True"),
        ({"in_flight": "8"}, ValueError, 'must be a whole number or "min-start-max" such as "8-64-512"'),
        ({"in_flight": 1.5}, TypeError, "Limit's in_flight must be a whole number"),
        ({"in_flight": 1, "waiting": -1}, ValueError, "Limit's waiting must be 0 or more, not -1"),
        ({"in_flight": 1, "waiting": None}, TypeError, "every queue has a bound"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(arguments: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        Limit(**arguments)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"per_second": 0}, ValueError, "Limit's per_second must be above 0"),
        ({"per_minute": -1}, ValueError, "Limit's per_minute must be above 0"),
        ({"per_minute": float("nan")}, ValueError, "Limit's per_minute must be above 0"),
        ({"per_second": float("inf")}, ValueError, "above 0 and finite"),
        ({"per_second": 2.5}, ValueError, "whole number, or less than 1, not 2.5; say it per minute"),
        ({"per_second": "3"}, TypeError, "Limit's per_second must be a number, not '3'"),
        ({"tokens_in_per_minute": 0}, ValueError, "Limit's tokens_in_per_minute must be above 0"),
        ({"tokens_out_per_minute": True}, TypeError, "Limit's tokens_out_per_minute must be a number"),
        ({"key": 3}, TypeError, "Limit's key must be the name of a parameter or a function"),
        ({"estimate": (1, 2)}, TypeError, "Limit's estimate must be a function"),
        ({"overloaded": 429}, TypeError, "Limit's overloaded must be a function"),
        ({"breaker": 0}, ValueError, "Limit's breaker must be 1 or more"),
        ({"when_full": "drop"}, ValueError, "there are 'wait', 'refuse' and 'shed_oldest'"),
        ({"retries": 2}, ValueError, "Limit's retries must be between 0 and 1"),
        ({"retries": "10%"}, TypeError, "Limit's retries must be a share of the calls"),
    ],
)
def test_every_figure_that_makes_no_sense_is_named(arguments: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        Limit(**arguments)


async def test_rates_and_bounds_are_retuned_while_calls_wait(clock: VirtualClock) -> None:
    limit = Limit("1-4-8", per_minute=2, tokens_in_per_minute=1000, estimate=lambda *_: (100, 0))
    one = tool(limit=limit)(serve.body)
    tasks = [asyncio.create_task(one(n)) for n in range(6)]
    await asyncio.sleep(0.5)
    assert door(limit).taken == 2
    limit.retune(per_minute=100, in_flight="1-2-3")
    assert door(limit).taken == 3
    limit.retune(in_flight=5)
    assert door(limit).taken == 5
    limit.retune(tokens_in_per_minute=50)
    await asyncio.sleep(2)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[:5] == list(range(5))
    assert "it could never be let in" in str(outcomes[5])


@pytest.mark.parametrize(
    ("made", "asked", "kind", "said"),
    [
        ({"in_flight": 2}, {"per_minute": 5}, UsageError, "was made without per_minute="),
        ({"in_flight": 2}, {"in_flight": "1-2-3"}, UsageError, "was made with a fixed number"),
        ({"in_flight": 2}, {"in_flight": 0}, ValueError, "Limit's in_flight must be 1 or more"),
        ({"per_minute": 2}, {"per_minute": 0}, ValueError, "Limit's per_minute must be above 0"),
        ({"in_flight": 2}, {"waiting": -1}, ValueError, "Limit's waiting must be 0 or more"),
    ],
)
def test_retuning_to_what_makes_no_sense_changes_nothing(
    made: Any, asked: Any, kind: type[Exception], said: str
) -> None:
    limit = Limit(**made)
    before = repr(limit)
    with pytest.raises(kind, match=said):
        limit.retune(**asked)
    assert repr(limit) == before


async def test_retuning_half_of_what_makes_no_sense_changes_nothing(clock: VirtualClock) -> None:
    limit = Limit(2, per_minute=5, waiting=7)
    for wrong in ({"in_flight": 0}, {"per_minute": -1}):
        with pytest.raises(ValueError, match="Limit's"):
            limit.retune(waiting=1, **wrong)  # type: ignore[arg-type]
    assert (limit.waiting, limit.in_flight, limit.per_minute) == (7, 2, 5)


async def test_a_limit_is_retuned_from_another_thread() -> None:
    limit = Limit(1)
    one, free = tool(limit=limit)(serve.body), asyncio.Event()
    inside = 0

    @tool(limit=limit)
    async def visit() -> None:
        nonlocal inside
        inside += 1
        await free.wait()

    async with Runtime(stall=None):
        tasks = [asyncio.create_task(visit()) for _ in range(3)]
        await asyncio.sleep(0)
        assert inside == 1
        other = threading.Thread(target=limit.retune, kwargs={"in_flight": 3})
        other.start()
        other.join()
        await asyncio.sleep(0.01)
        assert inside == 3
        free.set()
        await asyncio.gather(*tasks)
        assert await one(1, 0.0) == 1


async def test_a_limit_whose_other_loop_is_gone_is_retuned_here() -> None:
    limit = Limit(1)
    one = tool(limit=limit)(serve.body)

    async def there() -> None:
        answers.append(await one(5, 0.0))

    answers: list[int] = []
    other = threading.Thread(target=lambda: run(there()))
    other.start()
    other.join()
    assert answers == [5]
    async with Runtime(stall=None):
        assert await one(6, 0.0) == 6
        limit.retune(in_flight=2)
        assert places(one, current()).bound == 2
