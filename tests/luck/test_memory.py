"""Too much of it: results of a gigabyte, bodies that run out of memory, workers that the system kills."""

import os
import time

import pytest

from linecook import Failed, Ok, Runtime, agent, gather, settle, tool
from linecook.errors import LaneLost
from tests.luck.bodies import answers_beyond_its_memory, double, hungry, killed_by_the_system, large

FREE_MB = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
MEGABYTES = 1024 if FREE_MB > 8_000 else 300  # its copies on both sides of the socket need four times as much


@pytest.mark.slow
async def test_a_result_of_a_gigabyte_arrives_whole_and_the_loop_goes_on() -> None:
    @agent
    async def ticks() -> float:
        worst, last = 0.0, time.monotonic()
        while not done:
            await pause()
            worst, last = max(worst, time.monotonic() - last), time.monotonic()
        return worst

    @tool
    async def pause() -> None:
        import asyncio

        await asyncio.sleep(0.001)

    done: list[int] = []

    @agent
    async def fetch() -> None:
        answer = await large(MEGABYTES)
        assert answer.count(b"x") == len(answer) == MEGABYTES * 2**20
        done.append(len(answer))

    async with Runtime(processes=1, stall=None):
        worst, _ = await gather(ticks(), fetch())
        assert done == [MEGABYTES * 2**20]
        assert worst < 20  # moved in pieces: the loop never stood still for as long as the whole takes
        assert await double(2) == 4


@pytest.mark.slow
async def test_a_gigabyte_from_a_thread_is_no_copy() -> None:
    held = bytes(MEGABYTES * 2**20)

    @tool
    def given() -> bytes:
        return held

    assert await given() is held


async def test_a_body_out_of_memory_fails_with_its_line_and_its_worker_works_on() -> None:
    async with Runtime(processes=1):
        outcome, healthy = await settle(hungry(4_000, 50), double(3))
        assert isinstance(outcome, Failed), outcome
        assert isinstance(outcome.error, MemoryError)
        assert any("hungry(4000, 50) on lane process" in note for note in outcome.error.__notes__)
        assert healthy == Ok(6)
        assert await double(4) == 8


@pytest.mark.slow
async def test_a_result_there_is_no_memory_to_send_hurts_its_own_call_only() -> None:
    async with Runtime(processes=1):
        outcome, healthy = await settle(answers_beyond_its_memory(64), double(3))
        assert isinstance(outcome, (Ok, Failed)), outcome
        if isinstance(outcome, Failed):
            assert "answers_beyond_its_memory" in f"{outcome.error} {getattr(outcome.error, '__notes__', '')}"
        assert healthy == Ok(6)
        assert await double(5) == 10


async def test_a_worker_that_the_system_kills_is_named_and_replaced() -> None:
    async with Runtime(processes=1):
        outcomes = await settle([killed_by_the_system(), *(double(number) for number in range(20))])
        assert isinstance(outcomes[0], Failed)
        assert isinstance(outcomes[0].error, LaneLost)
        assert "died under killed_by_the_system: killed by SIGKILL" in str(outcomes[0].error)
        assert outcomes.results == [number * 2 for number in range(20)]


async def test_exhausted_memory_and_endless_recursion_on_a_thread_are_failures_like_others() -> None:
    @tool
    def deep() -> None:
        deep.body()

    @tool
    def wide() -> int:
        return len(bytearray(2**60))

    outcomes = await settle(deep(), wide(), deep())
    assert [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)] == [
        RecursionError, MemoryError, RecursionError,
    ]  # fmt: skip
