"""A stage: what it begins, what it sends on, and what becomes of items that fail or lose their worker."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from linecook import agent, fail_after, pipeline, tool
from linecook.errors import CallCancelled, LaneLost, TimedOutError, UsageError
from linecook.testing import VirtualClock


@agent
async def same(number: int) -> int:
    return number


@tool(lane="process", effect="read")
def square(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


@tool(lane="process", effect="read")
def unlucky(number: int, _marks: str = "") -> int:
    return number


@tool(lane="process")
def fatal_write(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


class Weak:
    """Kills the worker that gets item 4 or item 5, the first time."""

    def __init__(self, marks: Path) -> None:
        self.marks = str(marks)

    @tool(lane="process", effect="read")
    def work(self, number: int) -> int:
        mark = Path(self.marks) / str(number)
        if number in (4, 5) and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number


@pytest.mark.slow
async def test_a_poison_item_is_given_up_after_three_workers_and_the_others_go_on() -> None:
    made = pipeline(range(8)).map(square, workers=2, on_error="skip")
    assert sorted(await made.collect()) == [0, 1, 4, 16, 25, 36, 49]
    (letter,) = made.dead_letters
    assert (letter.value, letter.tries) == (3, 3)
    assert isinstance(letter.error, LaneLost)


@pytest.mark.slow
async def test_a_poison_item_that_comes_last_is_not_forgotten() -> None:
    made = pipeline([1, 3]).map(square, workers=2, on_error="skip")
    assert await made.collect() == [1]
    assert [letter.tries for letter in made.dead_letters] == [3]


@pytest.mark.slow
async def test_items_that_lost_their_worker_keep_their_order(tmp_path: Path) -> None:
    made = pipeline(range(40)).map(Weak(tmp_path).work, workers=2, ordered=True).map(same, ordered=True, workers=2)
    assert await made.collect() == list(range(40))


@pytest.mark.slow
async def test_what_may_have_written_is_not_begun_again() -> None:
    made = pipeline([1]).map(fatal_write, on_error="skip")
    assert await made.collect() == []
    assert [letter.tries for letter in made.dead_letters] == [1]


async def test_tries_of_one_stage_are_not_those_of_the_next() -> None:
    async def fragile(number: int) -> int:
        raise ValueError(number)

    made = pipeline([1]).map(fragile, on_error=lambda number, _error: number).map(fragile, on_error="skip")
    assert await made.collect() == []
    assert [letter.tries for letter in made.dead_letters] == [1]


async def test_an_error_in_a_filter_names_item_and_stage() -> None:
    async def fragile(number: int) -> bool:
        return 1 / number > 0

    with pytest.raises(ZeroDivisionError) as caught:
        await pipeline([2, 0]).filter(fragile).collect()
    assert "item 1 of the pipeline's input, in its stage filter(fragile)" in caught.value.__notes__


async def test_what_replaces_the_answer_of_a_filter_decides_as_an_answer() -> None:
    async def fragile(number: int) -> bool:
        return 1 / number > 0

    made = pipeline([0, 1]).filter(fragile, on_error=lambda number, error: False)
    assert await made.collect() == [1]
    made = pipeline([0, 1]).filter(fragile, ordered=True, on_error=lambda number, error: True)
    assert await made.collect() == [0, 1]


class Array:
    """As one of numpy's: neither true nor false."""

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


async def test_a_filter_that_answers_neither_true_nor_false_fails_and_says_so() -> None:
    """It was an error in nobody's task once: the pipeline stood still for ever."""

    async def unclear(number: int) -> object:
        return Array() if number == 1 else True

    with pytest.raises(ValueError, match="ambiguous") as caught:
        await pipeline([0, 1]).filter(unclear).collect()
    assert "filter(unclear) must answer true or false for each item; of an array take .any() or .all()" in (
        caught.value.__notes__
    )
    made = pipeline([0, 1, 2]).filter(unclear, on_error="skip", ordered=True)
    assert await made.collect() == [0, 2]
    assert [letter.origin for letter in made.dead_letters] == [1]
    statistics = made.statistics()
    assert statistics is not None
    assert [(stage.done, stage.failed) for stage in statistics.stages] == [(2, 1)]
    with pytest.raises(ValueError, match="ambiguous"):
        await pipeline([0, 1]).filter(unclear, on_error=lambda number, error: True).collect()


async def test_a_replacement_is_no_coroutine() -> None:
    async def fragile(number: int) -> int:
        raise ValueError(number)

    with pytest.raises(UsageError, match=r"returned <coroutine object .*, which nobody awaits; it must answer at once"):
        await pipeline([0]).map(fragile, on_error=lambda number, error: fragile(number)).collect()


async def test_other_failures_are_noted_on_the_first() -> None:
    async def fragile(number: int) -> None:
        try:
            await asyncio.sleep(3600 * number)
        finally:
            raise ValueError(number)

    with pytest.raises(ValueError) as caught:
        await pipeline([0, 1]).map(fragile).collect()
    assert caught.value.args == (0,)
    assert any("item 1 of the pipeline's input" in note and "ValueError(1)" in note for note in caught.value.__notes__)


async def test_an_error_in_the_replacement_ends_it_and_says_where() -> None:
    async def fragile(number: int) -> None:
        raise ValueError(number)

    def replace(number: int, error: Exception) -> None:
        raise KeyError(number)

    with pytest.raises(KeyError) as caught:
        await pipeline([7]).map(fragile, on_error=replace).collect()
    assert "on_error of map(fragile), for item 0 of the pipeline's input" in caught.value.__notes__


async def test_somebody_cancelling_one_call_is_a_failure_of_its_item() -> None:
    async def cancels_itself(number: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        if number == 1:
            task.cancel()
            await asyncio.sleep(1)
        return number

    made = pipeline([0, 1, 2]).map(cancels_itself, on_error="skip")
    assert await made.collect() == [0, 2]
    assert isinstance(made.dead_letters[0].error, CallCancelled)


async def test_a_hundred_stages_whose_bodies_end_at_once_need_no_deep_stack() -> None:
    made = pipeline(range(3))
    for _ in range(300):
        made = made.map(same)
    assert sorted(await made.collect()) == [0, 1, 2]


async def test_a_reorder_buffer_has_a_bound(clock: VirtualClock) -> None:
    began: list[int] = []

    async def first_is_slow(number: int) -> int:
        began.append(number)
        await asyncio.sleep(3600 if number == 0 else 0.001)
        return number

    async with pipeline(range(1000)).map(first_is_slow, workers=4, ordered=True) as results:
        with pytest.raises(TimedOutError):
            with fail_after(60):
                await anext(results)
        assert len(began) <= 1 + 2 * 4 + 4


async def test_a_sink_slower_than_the_source_for_an_hour_holds_no_more_items(clock: VirtualClock) -> None:
    read = written = most_ahead = 0

    async def numbers() -> AsyncIterator[int]:
        nonlocal read
        for number in range(360):
            read += 1
            yield number

    async def write(_number: int) -> None:
        nonlocal written, most_ahead
        most_ahead = max(most_ahead, read - written)
        await asyncio.sleep(10)
        written += 1

    async def pair(batch: list[int]) -> list[int]:
        return batch

    began = clock.time()
    made = pipeline(numbers()).map(same, workers=8).batch(2).flat_map(pair, workers=2)
    assert await made.into(write) == 360
    assert clock.time() - began >= 3599
    assert most_ahead < 60


@pytest.mark.parametrize("lane", ["thread", "inline"])
async def test_one_item_of_a_gigabyte_passes(lane: Any) -> None:
    made = pipeline([bytes(10**9), b"small"]).map(tool(lane=lane)(len), ordered=True)  # zeros take no memory
    assert await made.collect() == [10**9, 5]


GIGABYTE = """
import asyncio, resource, sys
from linecook import pipeline, run

async def read():
    for number in range(2):
        yield b"x" * 2**30  # written to, so that the memory is really taken

async def sign(page: bytes) -> bytes:
    assert page[-1:] == b"x"
    await asyncio.sleep(0.01)
    return page

def measure(page: bytes) -> int:
    return len(page)

async def main() -> None:
    sizes = pipeline(read()).map(sign, workers=1).map(measure, workers=1, ordered=True)
    assert await sizes.collect() == [2**30] * 2

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(main())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""


@pytest.mark.slow
def test_of_items_of_a_gigabyte_none_is_copied() -> None:
    """Real ones, and their memory measured: no more than the two that there are."""
    ran = subprocess.run([sys.executable, "-c", GIGABYTE], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert 0.5 <= float(ran.stdout) <= 2.1, f"{ran.stdout} GiB at most at once"
