"""``to_thread`` and ``run_in_executor``: threads under control, pools with their bounds."""

import asyncio
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from linecook.testing import explore

BOX = [0]


def look() -> None:
    """Do nothing: where a thread can lose its turn."""


def add() -> int:
    before = BOX[0]
    look()
    BOX[0] = before + 1
    return before


def square(number: int) -> int:
    return number * number


def fail() -> None:
    raise ValueError("no")


async def races() -> None:
    BOX[0] = 0
    await asyncio.gather(asyncio.to_thread(add), asyncio.to_thread(add))
    assert BOX[0] == 2


async def one_after_another() -> None:
    BOX[0] = 0
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        await asyncio.gather(loop.run_in_executor(pool, add), loop.run_in_executor(pool, add))
    assert BOX[0] == 2


async def in_processes(pool: ProcessPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    assert await asyncio.gather(*(loop.run_in_executor(pool, square, number) for number in range(3))) == [0, 1, 4]


async def raises() -> None:
    with pytest.raises(ValueError, match="no"):
        await asyncio.to_thread(fail)


def test_a_race_inside_threads_is_found() -> None:
    found = explore(races)
    assert found.failure is not None
    assert found.failure.overtakings == 1


def test_a_pool_of_one_does_one_after_another() -> None:
    explore(one_after_another, schedules=300).check()


def test_a_process_pool_is_not_started() -> None:
    with ProcessPoolExecutor(1) as pool:
        explore(lambda: in_processes(pool)).check()
        started: Any = pool
        assert not started._processes


def test_an_exception_comes_out_of_the_thread() -> None:
    explore(raises).check()
