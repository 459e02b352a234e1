"""What a running pipeline does, in figures and in words; for its own program and for whoever looks from outside."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linecook import Pipeline, Retry, Runtime, agent, fail_after, pipeline, tool
from linecook.errors import TimedOutError
from linecook.observe import Facts
from linecook.pipeline.statistics import PipelineStatistics, StageStatistics
from linecook.testing import VirtualClock


@agent
async def same(number: int) -> int:
    return number


@agent
async def for_ever(number: int) -> int:
    await asyncio.sleep(10**6)
    return number


@agent
async def pause(number: int) -> int:
    await asyncio.sleep(0.005)
    return number


def stage(name: str, *, busy: float, blocked: float = 0.0) -> StageStatistics:
    return StageStatistics(name, "process", 2, 0, 0, 0, 0, busy, 1 - busy - blocked, blocked)


def waiting(name: str, may_wait: str) -> StageStatistics:
    return StageStatistics(name, "thread", 2, 2, 3, 0, 0, 0.1, 0.05, 0.0, taken=0.95, may_wait=may_wait)


def told(*stages: StageStatistics) -> str:
    return PipelineStatistics(0, 0, 0, 1.0, stages).in_words()


def test_the_bottleneck_is_told_with_what_it_does_to_those_before() -> None:
    words = told(stage("map(fetch)", busy=0.1, blocked=0.61), stage("map(process)", busy=0.97))
    assert words == (
        "the stage map(process) on lane process is the bottleneck: 97 % busy, upstream blocked 61 % of the time"
    )


def test_without_a_busy_stage_the_source_or_the_reader_sets_the_pace() -> None:
    assert told(stage("map(fetch)", busy=0.1)) == "no stage is half busy: the source sets the pace"
    assert "whoever reads the results sets the pace" in told(stage("map(fetch)", busy=0.1, blocked=0.9))


def test_workers_that_wait_for_a_limit_are_told_from_idle_ones() -> None:
    assert told(stage("map(fetch)", busy=0.1), waiting("map(ask)", "for a limit of its tool")) == (
        "the stage map(ask) is the bottleneck: its workers are all taken, and 85 % of the time wait for a limit of its "
        "tool"
    )
    assert told(waiting("map(ask)", "")).endswith("its workers are all taken, and 85 % of the time no body runs")


def test_a_result_that_holds_up_those_behind_it_is_told_as_that() -> None:
    late = StageStatistics("map(ask)", "loop", 4, 1, 9, 0, 0, busy=0.25, starved=0.0, blocked=0.0, late=0.9)
    assert told(stage("map(fetch)", busy=0.1, blocked=0.9), late) == (
        "the stage map(ask) is the bottleneck: 90 % of the time results wait for a slow one before them, for it is "
        "ordered"
    )


async def test_a_stage_before_a_slow_one_is_blocked_and_one_after_it_starved(clock: VirtualClock) -> None:
    async def slow(number: int) -> int:
        await asyncio.sleep(1)
        return number

    made = pipeline(range(200)).map(same).map(slow, workers=2).map(same)
    await made.collect()
    statistics = made.statistics()
    assert statistics is not None
    first, _, last = statistics.stages
    assert (statistics.read, statistics.out, statistics.dead) == (200, 200, 0)
    assert first.blocked > 0.5
    assert last.starved > 0.9
    assert first.starved + first.blocked <= 1.001


async def slow(number: int) -> int:
    await asyncio.sleep(1)
    return number


@tool(limit=1)
async def one_at_a_time(number: int) -> int:
    await asyncio.sleep(1)
    return number


async def figures_of(made: Pipeline[Any]) -> PipelineStatistics:
    await made.collect()
    statistics = made.statistics()
    assert statistics is not None
    return statistics


async def test_virtual_seconds_make_a_stage_busy(clock: VirtualClock) -> None:
    statistics = await figures_of(pipeline(range(200)).map(same).map(slow, workers=2).map(same))
    assert [round(stage.busy, 2) for stage in statistics.stages] == [0.0, 1.0, 0.0]
    blocked = 100 * statistics.stages[0].blocked
    assert statistics.in_words() == (
        f"the stage map(slow) on lane loop is the bottleneck: 100 % busy, upstream blocked {blocked:.0f} % of the time"
    )


async def test_half_of_the_workers_busy_is_half_busy(clock: VirtualClock) -> None:
    (only,) = (await figures_of(pipeline(range(2)).map(slow, workers=4))).stages
    assert round(only.busy, 2) == 0.5


async def test_what_runs_is_counted_before_it_ends(clock: VirtualClock) -> None:
    async with pipeline(range(4)).map(for_ever, workers=4) as results:
        with pytest.raises(TimedOutError):
            with fail_after(100):
                await anext(results)
        (only,) = results.statistics().stages
    assert round(only.busy, 2) == 1.0


async def test_waiting_for_a_limit_is_not_being_busy_and_is_told(clock: VirtualClock) -> None:
    statistics = await figures_of(pipeline(range(20)).map(same).map(one_at_a_time, workers=4).map(same))
    limited = statistics.stages[1]
    assert (round(limited.busy, 1), limited.waits > 0.6) == (0.2, True)
    assert statistics.in_words().startswith(
        "the stage map(one_at_a_time) is the bottleneck: its workers are all taken, and "
    )
    assert statistics.in_words().endswith(" % of the time wait for a limit of its tool")


@tool(lane="process", effect="read")
def nap(number: int) -> int:
    time.sleep(0.01)
    return number


@tool(effect="read", limit=2, retry=Retry(on=OSError))
def limited_nap(number: int) -> int:
    time.sleep(0.01)
    return number


@pytest.mark.slow
async def test_a_process_stage_is_as_busy_as_the_processes_of_its_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was told by the CPUs: as half busy, and as waiting for a limit that its tool doesn't have."""
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    async with Runtime(stall=None, processes=1):
        statistics = await figures_of(pipeline(range(20)).map(nap, workers=4))
    (only,) = statistics.stages
    assert only.busy * statistics.seconds >= 20 * 0.01
    assert only.may_wait == "for a free worker process, or on the way to one and back"


async def test_a_stage_waits_for_nothing_that_its_tool_does_not_have() -> None:
    stages = (await figures_of(pipeline(range(2)).map(limited_nap).map(same))).stages
    assert [each.may_wait for each in stages] == [
        "for a limit of its tool, or before another attempt, or for a free thread, or on the way to one and back",
        "",
    ]


async def test_a_stage_that_has_ended_waits_for_nothing() -> None:
    """Its share of the time after its end was once told as waiting for a limit: it was the bottleneck, wrongly."""
    statistics = await figures_of(pipeline(range(20)).map(same).map(pause, workers=1))
    first, second = statistics.stages
    assert first.waits < 0.2
    assert statistics.bottleneck is second


async def test_a_slow_item_in_an_ordered_stage_is_told(clock: VirtualClock) -> None:
    async def first_is_slow(number: int) -> int:
        await asyncio.sleep(1000 if number == 0 else 1)
        return number

    statistics = await figures_of(pipeline(range(100)).map(first_is_slow, workers=4, ordered=True))
    assert "results wait for a slow one before them" in statistics.in_words()
    assert statistics.stages[0].blocked < 0.1


async def test_waiting_for_a_turn_is_not_being_busy(clock: VirtualClock) -> None:
    async def pieces(number: int) -> list[int]:
        await asyncio.sleep(100 if number == 0 else 1)
        return [number]

    (only,) = (await figures_of(pipeline(range(2)).flat_map(pieces, workers=2, ordered=True))).stages
    assert 0.5 <= only.busy <= 0.51


async def test_the_time_of_bodies_on_threads_makes_a_stage_busy() -> None:
    @tool
    def slow(number: int) -> int:
        time.sleep(0.02)
        return number

    made = pipeline(range(12)).map(same).map(slow, workers=2)
    await made.collect()
    statistics = made.statistics()
    assert statistics is not None
    assert statistics.bottleneck is statistics.stages[1]


async def test_those_who_look_at_the_runtime_are_told() -> None:
    async with Runtime(stall=None) as runtime:
        with Facts(runtime) as facts:
            async with pipeline(range(10**6)).map(same) as results:
                await anext(results)
                sentence, line = facts.snapshot().pipelines
                assert sentence.startswith("pipeline: ")
                assert line.startswith("  map(same): ")
                assert "% of the time starved" in line
                assert runtime.statistics()["fanouts"] == 2  # the source, and the stage
            assert facts.snapshot().pipelines == ()


async def test_figures_are_there_before_and_after_a_run() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(3600)

    made = pipeline(numbers()).map(same)
    assert made.statistics() is None
    async with made as results:
        with fail_after(5):
            assert await anext(results) == 1
    statistics = results.statistics()
    assert (statistics.read, statistics.out) == (1, 1)
    assert "1 read, 1 out, 0 set aside" in str(statistics)
