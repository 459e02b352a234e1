"""docs/decision-guide.md, "Processes": ProcessPoolExecutor. Real workers throughout, so all of it is slow."""

import asyncio
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import pytest

from linecook import Failed, Ok, Runtime, settle, tool
from linecook.errors import LaneLost, NotPortable, TimedOutError

pytestmark = pytest.mark.slow


class Misfit(Exception):
    """An error like many: what it is made with isn't what it passes on, so unpickling it fails."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")


def double(number: int) -> int:
    return 2 * number


def crash() -> None:
    os._exit(3)


def spin() -> None:
    while True:
        time.sleep(0.001)


def misfit() -> None:
    raise Misfit(404, "no such page")


@contextmanager
def pool_of_one() -> Iterator[ProcessPoolExecutor]:
    # spawn: forking a program that has threads is deprecated, and for good reason
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    finally:
        for process in workers(pool):
            process.kill()
        pool.shutdown()


def workers(pool: ProcessPoolExecutor) -> list[Any]:
    return list((pool._processes or {}).values())


async def test_one_dead_worker_breaks_the_pool_for_ever() -> None:
    loop = asyncio.get_running_loop()
    with pool_of_one() as pool:
        died, bystander = loop.run_in_executor(pool, crash), loop.run_in_executor(pool, double, 21)
        with pytest.raises(BrokenProcessPool):
            await died
        with pytest.raises(BrokenProcessPool):
            await bystander
        with pytest.raises(BrokenProcessPool):
            loop.run_in_executor(pool, double, 21)  # and all who come later

    async with Runtime(processes=1):
        died_too, doubled = await settle(tool(lane="process")(crash)(), tool(lane="process")(double)(21))
        assert isinstance(died_too, Failed)
        assert isinstance(died_too.error, LaneLost)
        assert doubled == Ok(42)  # linecook: one worker, one call


async def test_an_exception_that_cannot_be_unpickled_breaks_the_pool() -> None:
    loop = asyncio.get_running_loop()
    with pool_of_one() as pool, pytest.raises(BrokenProcessPool):
        await loop.run_in_executor(pool, misfit)

    async with Runtime(processes=1):
        (failed,) = await settle([tool(lane="process")(misfit)()])
        assert isinstance(failed, Failed)
        assert "404: no such page" in str(failed.error)  # linecook: errors are encoded where they happen
        assert await tool(lane="process")(double)(21) == 42


async def test_a_hung_call_is_never_killed() -> None:
    loop = asyncio.get_running_loop()
    with pool_of_one() as pool:
        assert await loop.run_in_executor(pool, double, 1) == 2
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.run_in_executor(pool, spin), 0.1)
        assert [process.is_alive() for process in workers(pool)] == [True]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.run_in_executor(pool, double, 21), 0.2)  # behind what nobody waits for

    async with Runtime(processes=1):
        with pytest.raises(TimedOutError) as told:
            await tool(lane="process", attempt_timeout=0.1)(spin)()
        assert told.value.work == "stopped"  # linecook: killed, and replaced
        assert await tool(lane="process", timeout=30)(double)(21) == 42


async def test_what_is_not_importable_does_not_travel() -> None:
    loop = asyncio.get_running_loop()

    def made_here(number: int) -> int:
        return 2 * number

    with pool_of_one() as pool, pytest.raises((AttributeError, pickle.PicklingError), match="local object"):
        await loop.run_in_executor(pool, made_here, 21)

    assert await tool(lane="process")(made_here)(21) == 42  # linecook: what can't go by name goes by value
    takes_anything: Any = tool(lane="process")(print)
    with pytest.raises(NotPortable, match="lock"):  # and what can't go at all is named, before anything runs
        await takes_anything(threading.Lock())
