"""What holds for a tool in the hands of any guest. Each test file adds a subclass that plays its guest's model."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from linecook import Ok, Runtime, TimedOut, agent, install, settle, tool

from . import kitchen
from .kitchen import (
    Gauge,
    Waiter,
    briefing,
    broken,
    count,
    double,
    greet,
    hang,
    letters,
    look_up,
    nap,
    simple,
    visit,
)

Call = tuple[str, dict[str, Any]]  # a tool's name and arguments, as a model asks for it


@dataclass(frozen=True, slots=True)
class Told:
    """What the model hears of one call."""

    text: str
    failed: bool = False


async def in_default_pool(function: Callable[[], Any]) -> Any:
    """Run *function* in the loop's default pool, the guests' own place for blocking code; leave no thread behind."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(function), 10)
    finally:
        await asyncio.get_running_loop().shutdown_default_executor()


class Promises:
    """A guest under test, set up as docs/how-to/under-frameworks.md says."""

    async def turn(self, tools: Sequence[Any], calls: Sequence[Call]) -> list[Told]:
        """Play one turn: a scripted model asks for all *calls* at once; what it hears of each, in their order."""
        raise NotImplementedError

    def shown(self, tool: Any) -> dict[str, Any]:
        """What the model is shown of *tool*: ``name``, ``description``, and the JSON schema of its ``parameters``."""
        raise NotImplementedError

    async def test_the_schema_is_that_of_the_plain_function(self) -> None:
        for made in (look_up, letters, greet, double, briefing, look_up.options(timeout=1)):
            assert self.shown(made) == self.shown(made.body)
        shown = self.shown(look_up)
        parameters = shown["parameters"]["properties"]
        assert shown["name"] == "look_up"
        assert shown["description"].startswith("Look up the weather of a city.")
        assert {name: one["type"] for name, one in parameters.items()} == {
            "city": "string", "days": "integer", "unit": "string",
        }  # fmt: skip
        assert parameters["unit"]["enum"] == ["C", "F"]
        assert (parameters["days"]["default"], parameters["unit"]["default"]) == (3, "C")

    async def test_a_method_shows_what_the_plain_method_shows(self) -> None:
        serve = Waiter("Ana").serve
        shown = self.shown(serve)
        assert shown == self.shown(serve.body)
        assert list(shown["parameters"]["properties"]) == ["dish", "table"]  # and no self
        assert "number" in str(shown["parameters"])  # a type that is known in its own module only

    @pytest.mark.slow
    async def test_results_arrive_from_every_lane(self) -> None:
        told = await self.turn(
            [look_up, letters, greet, double],
            [
                ("look_up", {"city": "Lyon", "unit": "F"}),
                ("letters", {"text": "soup"}),
                ("greet", {"name": "Ana"}),
                ("double", {"number": 21}),
            ],
        )
        assert told == [Told("Lyon: 3 days in F"), Told("4"), Told("hello Ana"), Told("42")]

    async def test_a_method_is_called_with_its_instance_and_real_types(self) -> None:
        told = await self.turn([Waiter("Ana").serve], [("serve", {"dish": "soup", "table": {"number": 7}})])
        assert told == [Told("soup by Ana at 7 in the hall")]

    async def test_an_agent_is_a_tool_too(self) -> None:
        assert await self.turn([briefing], [("briefing", {"city": "Lyon"})]) == [Told("hello Lyon, Lyon: 1 days in C")]

    @pytest.mark.slow
    async def test_a_hung_tool_is_answered_in_time_and_the_model_hears_of_it(self) -> None:
        # https://github.com/pydantic/pydantic-ai/pull/7557: time-outs never fired for blocking tools
        began = time.monotonic()
        (told,) = await self.turn([hang], [("hang", {"city": "Lyon"})])
        assert time.monotonic() - began < hang.asked.timeout + hang.asked.grace + 5  # 5: a busy machine
        assert told.failed
        assert re.search(r"hang\(.*timeout=0\.3 s", told.text)

    @pytest.mark.slow
    async def test_one_hung_call_of_twenty_harms_no_other(self) -> None:
        # https://github.com/pydantic/pydantic-ai/pull/4502, https://github.com/langchain-ai/deepagents/issues/694
        told = await self.turn([visit], [("visit", {"number": number}) for number in range(20)])
        assert [one.text for one in told if not one.failed] == [f"shop {n}" for n in range(20) if n != 7]
        assert re.search(r"visit\(.*timeout=2 s", told[7].text)

    @pytest.mark.slow
    async def test_hung_calls_starve_nobody(self) -> None:
        # https://github.com/hatchet-dev/hatchet/issues/4803: more of them than the loop's default pool has threads
        calls = [("hang", {"city": str(n)}) for n in range(40)] + [("look_up", {"city": "Lyon"})]
        told = await self.turn([hang.options(timeout=2), look_up], calls)
        assert [one.failed for one in told] == 40 * [True] + [False]
        assert await in_default_pool(lambda: "free") == "free"

    pool = 40  # threads that the guest has for plain functions: anyio's default

    @pytest.mark.slow
    async def test_plain_functions_that_hang_starve_the_rest(self) -> None:
        """Why one would want a tool of ours. Should this fail, the guest has got better: the page must say so."""
        kitchen.HANGING.clear()
        hung = [("hang", {"city": str(n)}) for n in range(self.pool)]
        turn = asyncio.create_task(self.turn([hang.body, simple], [*hung, ("simple", {"city": "Lyon"})]))
        async with asyncio.timeout(20):
            await kitchen.until(lambda: len(kitchen.HANGING) == self.pool)
            await asyncio.sleep(0.2)
            assert kitchen.SERVED == []
            kitchen.RELEASE.set()
            told = await turn
        assert kitchen.SERVED == ["Lyon"]
        assert told[-1] == Told("Lyon")
        await asyncio.get_running_loop().shutdown_default_executor()

    @pytest.mark.slow
    async def test_blocking_tools_leave_the_loop_free(self) -> None:
        # https://github.com/microsoft/agent-framework/issues/5741
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        told = await self.turn([nap], [("nap", {"number": number}) for number in range(20)])
        ticking.cancel()
        await asyncio.wait([ticking])
        assert [one.text for one in told] == [str(number) for number in range(20)]
        assert ticks >= 10  # 60 on a quiet machine; none, or one, where the naps stop the loop

    async def test_an_error_arrives_in_its_own_words(self) -> None:
        (told,) = await self.turn([broken], [("broken", {"city": "Atlantis"})])
        assert told.failed
        assert "no such city: Atlantis" in told.text

    async def test_wrong_arguments_never_reach_the_body(self) -> None:
        Gauge.now = Gauge.most = 0
        (told,) = await self.turn([count], [("count", {"number": "many"})])
        assert told.failed
        assert Gauge.most == 0

    async def test_one_turn_of_many_calls_keeps_the_tools_limit(self) -> None:
        # https://github.com/pydantic/pydantic-ai/issues/6884: 792 calls in one turn
        Gauge.now = Gauge.most = 0
        told = await self.turn([count], [("count", {"number": number}) for number in range(60)])
        assert [one.text for one in told] == [str(number) for number in range(60)]
        assert 1 <= Gauge.most <= 3

    async def test_tools_run_in_the_runtime_that_the_loop_has_open(self) -> None:
        async with Runtime(threads=2) as runtime:
            await self.turn([look_up], 5 * [("look_up", {"city": "Lyon"})])
            assert 1 <= runtime.statistics()["thread"]["threads"] <= 2

    async def test_a_loop_in_another_thread_has_lanes_of_its_own(self) -> None:
        def elsewhere() -> list[Told]:
            return asyncio.run(self.turn([look_up, greet], [("look_up", {"city": "Nice"}), ("greet", {"name": "Bo"})]))

        here, there = await asyncio.gather(
            self.turn([look_up], [("look_up", {"city": "Lyon"})]), in_default_pool(elsewhere)
        )
        assert here == [Told("Lyon: 3 days in C")]
        assert there == [Told("Nice: 3 days in C"), Told("hello Bo")]

    async def test_a_cancelled_run_leaves_no_tool_running(self) -> None:
        # https://github.com/pydantic/pydantic-ai/issues/3960
        kitchen.STILL.clear()
        run = asyncio.create_task(self.turn([kitchen.simmer], [("simmer", {"dish": "soup"})]))
        async with asyncio.timeout(10):
            await kitchen.until(lambda: kitchen.STILL == ["soup begun"])
            run.cancel()
            await asyncio.wait([run])
            await kitchen.until(lambda: kitchen.STILL == ["soup begun", "soup off the fire"])

    @pytest.mark.slow
    async def test_a_deadline_of_ours_ends_turns_of_theirs(self) -> None:
        @agent
        async def desk(call: Call) -> list[Told]:
            return await self.turn([kitchen.simmer, hang.options(timeout=None), greet], [call])

        kitchen.STILL.clear()
        began = time.monotonic()
        calls = [("simmer", {"dish": "soup"}), ("hang", {"city": "Lyon"}), ("greet", {"name": "Ana"})]
        outcomes = await settle((desk(call) for call in calls), timeout=2)
        assert time.monotonic() - began < 2 + 0.5 + 5  # 5: a busy machine
        assert [type(outcome) for outcome in outcomes] == [TimedOut, TimedOut, Ok]
        assert outcomes.results == [[Told("hello Ana")]]
        assert kitchen.STILL == ["soup begun", "soup off the fire"]

    async def test_what_runs_a_turn_of_theirs_is_an_agent_and_a_tool_is_told_so(self) -> None:
        @tool
        async def desk(name: str) -> list[Told]:
            return await self.turn([greet], [("greet", {"name": name})])

        (told,) = await desk("Ana")
        assert told.failed
        assert re.search(r"desk.*greet", told.text)
        assert "agent" in told.text


class OnTheDefaultPool(Promises):
    """A guest that runs plain functions in the loop's default pool."""

    pool = min(32, (getattr(os, "process_cpu_count", os.cpu_count)() or 1) + 4)

    async def test_install_has_plain_functions_served_past_those_that_hang(self) -> None:
        kitchen.HANGING.clear()
        hung = [("hang", {"city": str(n)}) for n in range(2 * self.pool)]
        with install():
            turn = asyncio.create_task(self.turn([hang.body, simple], [*hung, ("simple", {"city": "Lyon"})]))
            async with asyncio.timeout(20):
                await kitchen.until(lambda: len(kitchen.HANGING) == 2 * self.pool and kitchen.SERVED == ["Lyon"])
                kitchen.RELEASE.set()
                await turn

    @pytest.mark.filterwarnings("ignore:.*pieces:RuntimeWarning")
    async def test_a_stream_is_no_tool_the_model_reads_its_repr(self) -> None:
        (told,) = await self.turn([kitchen.pieces], [("pieces", {"text": "soup"})])
        assert told.text.startswith("<stream pieces(")
        await asyncio.get_running_loop().shutdown_default_executor()
