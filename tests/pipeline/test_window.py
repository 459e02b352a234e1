"""The window of a stage: what comes in waits, begins and is bounded, however items are timed and sized."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from linecook import agent, pipeline
from linecook.pipeline.pipeline import Pipeline
from linecook.pipeline.window import Window
from linecook.testing import VirtualClock

FAST = 0.0
Item = tuple[int, str]


def stage_of(
    name: str, delays: list[float], running: Counter[str], most: Counter[str]
) -> Callable[[Item], Coroutine[Any, Any, Item]]:
    """Return a stage that waits for each item as long as *delays* say (0: it ends at once), and counts who runs."""

    async def work(item: Item) -> Item:
        running[name] += 1
        most[name] = max(most[name], running[name])
        try:
            if (delay := delays[item[0] % len(delays)]) != FAST:
                await asyncio.sleep(delay)
        finally:
            running[name] -= 1
        return item

    return agent(work)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_bounds_and_delays_each_item_comes_out_and_no_bound_is_passed(
    clock: VirtualClock, seed: int
) -> None:
    chance = random.Random(seed)
    items = [(number, "x" * chance.choice((1, 1, 1, 50))) for number in range(150)]
    running, most = Counter[str](), Counter[str]()
    made: Pipeline[Item] = pipeline(items, max_bytes=chance.choice((1, 60, None)))
    workers = [chance.choice((1, 2, 7, 40)) for _ in range(3)]
    ordered = chance.random() < 0.5
    for place, many in enumerate(workers):
        delays = [chance.choice((FAST, FAST, 0.001, 0.01)) for _ in range(20)]
        made = made.map(stage_of(str(place), delays, running, most), workers=many, ordered=ordered)
    found = list[Item]()
    async with made as results:
        line = results.line
        async for item in results:
            found.append(item)
            for node in line.nodes:
                if isinstance(node, Window):
                    assert len(node.inbox) <= node.capacity
            if chance.random() < 0.1:
                await asyncio.sleep(0.02)
    assert (found if ordered else sorted(found)) == items
    assert all(most[str(place)] <= many for place, many in enumerate(workers))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin in the loop's next turn there")
async def test_an_item_that_finds_a_free_worker_is_begun_in_the_step_in_which_it_came() -> None:
    steps = list[str]()

    async def first(number: int) -> int:
        steps.append(f"first {number}")
        return number

    async def second(number: int) -> int:
        steps.append(f"second {number}")
        return number

    await pipeline(range(3)).map(first).map(second).collect()
    assert steps == ["first 0", "second 0", "first 1", "second 1", "first 2", "second 2"]
