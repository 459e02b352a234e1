"""Whole programs under ``explore``: asyncio and linecook, with threads that race with each other and with the loop."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from linecook import Runtime, Shared, gather, move_on_after, settle, tool
from linecook.testing import explore
from linecook.testing.exploring.mistakes import EscapedControl

count = {"n": 0}
guard = threading.Lock()


def add_one(to):
    n = to.get("n")
    to["n"] = n + 1


def add_one_alone(to, lock):
    with lock:
        add_one(to)


@tool
def add():
    add_one(count)


@tool
def add_alone():
    add_one_alone(count, guard)


def test_two_to_threads_lose_an_update_of_a_dict():
    async def main():
        seen = {"n": 0}
        await asyncio.gather(asyncio.to_thread(add_one, seen), asyncio.to_thread(add_one, seen))
        assert seen["n"] == 2

    found = explore(main, schedules=200)
    assert found.failure is not None
    assert (found.failure.kind, found.failure.overtakings) == ("exception", 1)
    assert found.failure.label == "shown on the stock loop"


def test_under_the_gil_two_updates_in_place_lose_nothing():
    async def main():
        seen = {"n": 0}

        def body():
            seen["n"] += 1

        await asyncio.gather(asyncio.to_thread(body), asyncio.to_thread(body))
        assert seen["n"] == 2

    assert explore(main).failure is None
    assert explore(main, points="opcodes").failure.label == "without the GIL"


def test_two_threads_with_a_lock_are_searched_to_the_end_at_one_overtaking():
    async def main():
        seen, lock = {"n": 0}, threading.Lock()
        await asyncio.gather(*(asyncio.to_thread(add_one_alone, seen, lock) for _ in range(2)))
        assert seen["n"] == 2

    assert explore(main, overtakings=1, schedules=2_000).check().exhausted


def test_an_exception_that_nobody_catches_in_a_plain_thread_is_found():
    def burn():
        raise ValueError("soup")

    async def main():
        thread = threading.Thread(target=burn, name="cook")
        thread.start()
        await asyncio.to_thread(thread.join)

    failure = explore(main).failure
    assert failure is not None
    assert (failure.kind, failure.message) == (
        "exception",
        "the thread cook died of ValueError('soup'): nobody caught it",
    )


def test_a_thread_that_loops_for_ever_is_named_with_its_line():
    def stir():
        while True:
            pass

    async def main():
        await asyncio.to_thread(stir)

    failure = explore(main, steps=2_000).failure
    assert failure is not None
    assert failure.kind == "hang"
    assert "stir has not ended after" in failure.message
    assert "test_programs_with_threads.py:" in failure.message


def test_the_schedule_tells_where_each_step_brings_a_thread():
    async def main():
        seen = {"n": 0}
        await asyncio.gather(*(asyncio.to_thread(add_one, seen) for _ in range(2)))
        assert seen["n"] == 2

    failure = explore(main).failure
    assert failure is not None
    told = [step.what for step in failure.steps if step.what.startswith("thread of add_one")]
    assert 'runs to test_programs_with_threads.py:19: n = to.get("n")' in told[0]
    assert told[-1].endswith(" ends")


def test_a_lock_saves_the_update_in_every_schedule():
    async def main():
        seen, lock = {"n": 0}, threading.Lock()
        bodies = [asyncio.to_thread(add_one_alone, seen, lock) for _ in range(2)]
        await asyncio.gather(*bodies)
        assert seen["n"] == 2

    assert explore(main, schedules=500).failure is None


def test_a_race_between_a_thread_and_the_loop_is_found():
    async def main():
        seen = {"n": 0}

        async def on_the_loop():
            n = seen["n"]
            await asyncio.sleep(0)
            seen["n"] = n + 1

        await asyncio.gather(asyncio.to_thread(add_one, seen), on_the_loop())
        assert seen["n"] == 2

    assert explore(main, schedules=200).failure is not None


def test_a_threads_lock_that_the_loop_takes_too_is_waited_for():
    async def main():
        seen, lock = {"n": 0}, threading.Lock()

        async def on_the_loop():
            add_one_alone(seen, lock)

        await asyncio.gather(asyncio.to_thread(add_one_alone, seen, lock), on_the_loop())
        assert seen["n"] == 2

    assert explore(main).failure is None


def test_locks_of_threads_in_opposite_order_deadlock():
    async def main():
        one, other = threading.Lock(), threading.Lock()

        def take(first, second):
            with first, second:
                pass

        await asyncio.gather(asyncio.to_thread(take, one, other), asyncio.to_thread(take, other, one))

    assert explore(main, schedules=200).failure.kind == "deadlock"


def test_a_pool_that_the_program_makes_is_explored_as_well():
    async def main():
        loop, seen = asyncio.get_running_loop(), {"n": 0}
        with ThreadPoolExecutor(2) as pool:
            await asyncio.gather(*(loop.run_in_executor(pool, add_one, seen) for _ in range(2)))
        assert seen["n"] == 2

    assert explore(main, schedules=500).failure is not None


def test_a_thread_asks_the_loop_and_waits_for_its_answer():
    async def main():
        loop, seen = asyncio.get_running_loop(), []

        async def answer():
            await asyncio.sleep(3600)
            return 5

        def asks():
            seen.append(asyncio.run_coroutine_threadsafe(answer(), loop).result())
            loop.call_soon_threadsafe(seen.append, 6)

        await asyncio.to_thread(asks)
        await asyncio.sleep(0)
        assert seen == [5, 6]

    found = explore(main)
    assert found.failure is None
    assert found.exhausted


def test_tools_on_threads_lose_an_update_of_a_dict():
    async def main():
        count["n"] = 0
        async with Runtime():
            await gather(add() for _ in range(2))
        assert count["n"] == 2

    assert explore(main, schedules=200).failure is not None


def test_tools_with_a_lock_of_import_time_lose_none():
    async def main():
        count["n"] = 0
        async with Runtime():
            await gather(add_alone() for _ in range(2))
        assert count["n"] == 2

    assert explore(main, schedules=500).failure is None


def test_shared_names_both_accesses_of_a_race_between_tools():
    async def main():
        spent = Shared(0)

        @tool
        def spend():
            spent.value = spent.value + 1

        await gather(spend() for _ in range(2))

    failure = explore(main, schedules=200).failure
    assert failure.kind == "lost update"
    assert "spend" in failure.message


def test_update_of_a_shared_value_loses_none_from_any_thread():
    async def main():
        spent = Shared(0)

        @tool
        def spend():
            spent.update(lambda total: total + 1)

        await gather(spend() for _ in range(2))
        assert spent.value == 2

    assert explore(main, schedules=150).failure is None


def test_a_tool_that_sleeps_past_its_deadline_is_given_up_and_runs_on_unseen():
    async def main():
        ended = []

        @tool(timeout=1)
        def slow():
            time.sleep(60)
            ended.append(True)

        async with Runtime():
            (outcome,) = await settle([slow()])
            assert type(outcome).__name__ == "TimedOut"
            with move_on_after(600):
                while not ended:
                    await asyncio.sleep(10)
            assert ended

    # With overtakings, the loop may also be late by that minute: then the answer is there before the deadline is seen.
    assert explore(main, schedules=50, overtakings=0).failure is None


def test_a_thread_that_waits_for_a_flag_by_spinning_lets_the_other_set_it():
    async def main():
        flag = []

        def spins():
            while not flag:
                pass

        await asyncio.gather(asyncio.to_thread(spins), asyncio.to_thread(flag.append, 1))

    assert explore(main, schedules=20).failure is None


@pytest.mark.slow  # 100,000 switch points
def test_a_thread_without_an_end_is_a_hang():
    async def main():
        def spins():
            while True:
                pass

        await asyncio.to_thread(spins)

    found = explore(main, schedules=1)
    assert found.failure.kind == "hang"


@pytest.mark.slow  # the patience of explore
def test_a_real_wait_in_a_thread_is_an_error_that_names_the_call():
    import os

    reading, writing = os.pipe()

    async def main():
        await asyncio.to_thread(os.read, reading, 1)

    try:
        with pytest.raises(EscapedControl, match="read"):
            explore(main)
    finally:
        os.write(writing, b"x")
        os.close(writing)
        os.close(reading)
