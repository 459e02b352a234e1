"""What the limits of a runtime hold: those that were hit, from any thread, with reasons."""

import asyncio
import re
from typing import Any

import pytest

from linecook import Limit, Retry, Runtime, settle, tool
from linecook.observe import Facts, LimitFacts
from linecook.observe.limits import limits_of
from linecook.tools.policies.admitted import state_of
from tests.aside import aside
from tests.tools.policies.kitchen import Busy


def serving(limit: Limit | int, seconds: float = 0.05) -> Any:
    @tool(limit=limit)
    async def serve(host: str = "") -> None:
        await asyncio.sleep(seconds)

    return serve


async def looked_at(runtime: Runtime) -> list[LimitFacts]:
    await asyncio.sleep(0.01)
    return await aside(limits_of, runtime)


async def test_a_limit_that_held_nobody_back_has_nothing_to_tell() -> None:
    async with Runtime(stall=None) as runtime:
        await settle(serving(Limit(8, per_minute=100), 0.0)() for _ in range(8))
        assert runtime.limits
        assert await looked_at(runtime) == []


async def test_who_waits_and_how_long_they_waited_is_told_under_the_limits_name() -> None:
    async with Runtime(stall=None) as runtime:
        one = serving(Limit(2, name="stove"))
        crew = asyncio.ensure_future(settle([one() for _ in range(6)]))
        (stove,) = await looked_at(runtime)
        assert (stove.name, stove.in_flight, stove.bound, stove.waiting, stove.held_up) == ("stove", 2, 2, 4, "")
        await crew
        (stove,) = await looked_at(runtime)
        assert (stove.in_flight, stove.waiting, stove.waited) == (0, 0, 4)
        assert 0.2 <= stove.waited_for <= 5  # two waited for one round, two for two


async def test_a_tools_own_limit_goes_by_the_tools_name() -> None:
    async with Runtime(stall=None) as runtime:
        await settle([serving(1, 0.0)() for _ in range(2)])
        assert await looked_at(runtime) == []  # each of them a tool of its own
        one = serving(1, 0.0)
        await settle([one() for _ in range(2)])
        assert [each.name for each in await looked_at(runtime)] == ["serve"]


async def test_why_nobody_is_let_in_is_told_with_the_windows() -> None:
    async with Runtime(stall=None, drain=0) as runtime:
        one = serving(Limit(9, name="api", per_minute=2))
        for _ in range(3):
            runtime.start(one())
        (api,) = await looked_at(runtime)
    assert api.used == {"per_minute": (2.0, 2.0)}
    assert re.fullmatch(r"per_minute used up, next in (60|5\d)\.\d s", api.held_up)


async def test_a_pause_and_a_cut_are_told_with_the_reason() -> None:
    async with Runtime(stall=None, drain=0) as runtime:

        @tool(limit=Limit("1-8-64", name="api"))
        async def ask() -> None:
            await asyncio.sleep(0)
            raise Busy(30)

        await settle([ask() for _ in range(8)])
        runtime.start(ask())
        (api,) = await looked_at(runtime)
    assert (api.bound, api.cuts, api.pauses, api.waiting) == (6, 1, 1, 1)
    assert re.fullmatch(r"paused by Retry-After for (30|2\d)\.\d s", api.held_up)
    assert 20 < api.paused_for <= 30
    (change,) = api.changes
    assert (change.before, change.after, change.why) == (8, 6, "refused")
    assert 0 <= change.ago < 20


async def test_each_key_is_told_by_its_name_and_those_with_most_waiting_first() -> None:
    async with Runtime(stall=None, drain=0) as runtime:
        one = serving(Limit(1, name="hosts", key="host"), 5.0)
        for host in ("a", "b", "b", "b", "c", "c"):
            runtime.start(one(host))
        found = await looked_at(runtime)
    assert [(each.name, each.waiting) for each in found] == [("hosts[b]", 2), ("hosts[c]", 1)]


async def test_a_key_that_cannot_be_shown_has_a_name_all_the_same() -> None:
    class Odd:
        def __str__(self) -> str:
            raise ValueError

    async with Runtime(stall=None, drain=0) as runtime:
        one, key = serving(Limit(1, key="host"), 5.0), Odd()
        runtime.start(one(key))
        runtime.start(one(key))
        (found,) = await looked_at(runtime)
    assert found.name.startswith("Limit[<")


async def test_looking_from_another_thread_while_calls_run_changes_no_count() -> None:
    limit = Limit(name="api", per_minute=100_000)
    async with Runtime(stall=None) as runtime:
        with Facts(runtime) as facts:
            one, over = serving(limit, 0.0), False

            def look() -> int:
                looks = 0
                while not over:
                    facts.snapshot()
                    looks += 1
                return looks

            looking = asyncio.ensure_future(aside(look))
            for _ in range(20):
                await settle([one() for _ in range(20)])
                await asyncio.sleep(0)
            over = True
            assert await looking > 0
        assert runtime.statistics()["limits"][str(limit)]["used"] == {"per_minute": (400.0, 100_000)}


def test_without_a_runtime_there_are_none() -> None:
    assert limits_of(None) == []


@pytest.mark.parametrize("limit", [Limit(3), Limit("1-3-9"), Limit(3, key="host")])
async def test_every_kind_of_limit_can_be_told(limit: Limit) -> None:
    async with Runtime(stall=None) as runtime:
        one = serving(limit, 0.0)
        await settle([one("a") for _ in range(12)], limit=12)
        (found,) = await looked_at(runtime)
    assert found.waited >= 3


async def test_retries_that_were_refused_are_told_of_the_limit_and_not_of_a_key() -> None:
    @tool(limit=Limit(50, name="hosts", key="host"), effect="read", retry=Retry(on=Busy, wait=0.0, attempts=9))
    async def ask(host: str) -> None:
        raise Busy

    async with Runtime(stall=None) as runtime:
        await settle([ask(str(number)) for number in range(30)])
        (found,) = await looked_at(runtime)
    assert (found.name, found.bound) == ("hosts", None)
    assert found.retries_refused > 0


async def test_a_thousand_limits_of_one_name_are_told_apart() -> None:
    async with Runtime(stall=None) as runtime:
        for limit in [Limit(1, name="alike") for _ in range(1000)]:
            state_of(limit, runtime)
        names = list(runtime.statistics()["limits"])
    assert names[:2] == ["Limit(1, name='alike')", "Limit(1, name='alike') #2"]
    assert len(set(names)) == 1000
