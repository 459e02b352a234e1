"""Ten thousand cancellations at random awaits of the whole stack; afterwards nothing is held and nothing runs."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from linecook import (
    Cancelled,
    Limit,
    Runtime,
    agent,
    as_completed,
    fail_after,
    first,
    gather,
    move_on_after,
    scope,
    settle,
    tool,
)
from linecook.errors import LinecookError, TimedOutError
from tests.luck.bodies import brief, double

ROUNDS = 10_000
SHARED = Limit(7, name="shared")


@tool(limit=SHARED)
def on_thread(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@tool(limit=3)
async def on_loop(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@tool(limit=SHARED, timeout=5)
async def in_own_task(seconds: float) -> float:
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.sleep(0)  # a clean-up that waits
    return seconds


@tool(timeout=0.001)
def too_late(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@tool
def fails(seconds: float) -> None:
    raise LookupError("mine")


@tool(limit=2)
def numbers() -> Iterator[int]:
    yield from range(40)


@agent
async def words() -> AsyncIterator[float]:
    for _ in range(3):
        yield await on_thread(0.0001)


@agent
async def leaf(luck: random.Random) -> None:
    tools = [on_thread, on_loop, in_own_task, too_late]
    await luck.choice(tools)(luck.choice([0.0, 0.0002, 0.001]))


@agent
async def several(luck: random.Random) -> None:
    way = luck.randrange(5)
    calls = [leaf(random.Random(luck.random())) for _ in range(luck.randint(1, 4))]
    if way == 0:
        await gather(calls, limit=luck.choice([1, 2, None]))
    elif way == 1:
        await settle([*calls, fails(0.0)], timeout=luck.choice([None, 0.001]))
    elif way == 2:
        async with as_completed(calls, limit=2) as outcomes:
            async for _ in outcomes:
                if luck.random() < 0.3:
                    break
    elif way == 3:
        await first(calls)
    else:
        async with scope(on_failure=luck.choice(["cancel", "keep"])) as block:
            handles = [block.start(call) for call in calls]
            if luck.random() < 0.3:
                handles[0].cancel()


@agent
async def whole(luck: random.Random) -> None:
    way = luck.randrange(6)
    if way == 0:
        with move_on_after(luck.choice([0.0005, 0.002])):
            await several(random.Random(luck.random()))
    elif way == 1:
        with fail_after(luck.choice([0.0005, 0.002])):
            await several(random.Random(luck.random()))
    elif way == 2:
        async with numbers() as pieces:
            async for piece in pieces:
                if piece > 20:
                    break
    elif way == 3:
        async with words() as given:
            async for _ in given:
                pass
    else:
        await several(random.Random(luck.random()))


async def one(seed: int, ends: Counter[str]) -> None:
    luck = random.Random(seed)
    task = asyncio.create_task(whole(luck))
    patience = luck.random() ** 3 * 0.006
    if patience < 0.0005:  # at one of the first awaits, counted in turns of the loop
        for _ in range(luck.randrange(12)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(patience)
    asked = task.cancel()
    try:
        await task
        ends["returned"] += 1
    except asyncio.CancelledError:
        assert asked, f"seed {seed}: nobody cancelled it"
        ends["cancelled"] += 1
    except (LookupError, LinecookError, TimedOutError, BaseExceptionGroup) as error:
        ends[type(error).__name__] += 1
    me = asyncio.current_task()
    assert me is not None
    assert me.cancelling() == 0, seed


@pytest.mark.slow
@pytest.mark.parametrize("loop_seed", [1])
async def test_ten_thousand_cancels_at_random_awaits_leave_nothing_behind(loop_seed: int) -> None:
    ends: Counter[str] = Counter()
    async with Runtime(threads=8, stall=None) as runtime:
        before = asyncio.all_tasks()
        for start in range(0, ROUNDS, 100):
            await asyncio.gather(*(one(loop_seed * ROUNDS + seed, ends) for seed in range(start, start + 100)))
        deadline = time.monotonic() + 10
        while (left := held(runtime, before)) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)  # threads that were left behind come back; dropped streams are seen to their end
        assert not left, left
        assert (await settle(leaf(random.Random(0))))[0] is not None
    assert ends.total() == ROUNDS
    assert ends["cancelled"] > ROUNDS // 4, ends  # or it was no test of cancelling


def held(runtime: Runtime, before: "set[asyncio.Task[object]]") -> dict[str, object]:
    """What is still held or running, by name; empty: nothing."""
    statistics = runtime.statistics()
    lane = statistics["thread"]
    found: dict[str, object] = {name: lane[name] for name in ("running", "waiting", "abandoned")}
    found |= {name: statistics[name] for name in ("fanouts", "resisting", "background")}
    for name, limit in statistics["limits"].items():
        found |= {f"{name} {key}": limit[key] for key in ("in_flight", "waiting")}
    found["tasks"] = [task for task in asyncio.all_tasks() - before if not task.done()]
    return {name: value for name, value in found.items() if value}


@pytest.mark.slow
async def test_cancels_of_process_calls_at_random_moments_leave_nothing_behind() -> None:
    luck = random.Random(5)
    async with Runtime(processes=2, stall=None) as runtime:
        before = asyncio.all_tasks()
        await gather(double(number) for number in range(20))  # the workers are warm
        for _ in range(15):
            tasks = [asyncio.create_task(gather(double(number) for number in range(3))) for _ in range(6)]
            tasks.append(asyncio.create_task(gather(brief(number) for number in range(6))))
            for task in tasks:
                await asyncio.sleep(luck.random() ** 2 * 0.004)
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, (list, asyncio.CancelledError)) for end in ended), ended
        assert await gather(double(number) for number in range(20)) == [number * 2 for number in range(20)]
        lane = runtime.statistics()["process"]
        assert (lane["running"], lane["waiting"]) == (0, 0)
        assert not asyncio.all_tasks() - before


@pytest.mark.slow
async def test_a_cancel_that_meets_the_end_of_the_work_is_never_swallowed() -> None:
    """Cancelled in the very turn in which the answer comes, or the deadline passes: the next wait still sees it."""

    @agent
    async def waits() -> str:
        with move_on_after(0.002):
            await gather(on_loop(0.002), on_loop(0.002))
        await asyncio.sleep(30)
        return "asleep"

    async with Runtime(threads=4, stall=None):
        for turn in range(150):
            async with scope(on_failure="keep") as block:
                handle = block.start(waits())
                await asyncio.sleep(0.001 + turn % 10 * 0.0002)
                handle.cancel("tired")
                outcome = await asyncio.wait_for(handle.wait(), 10)
            assert outcome == Cancelled("tired")
