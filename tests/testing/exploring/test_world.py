"""A world leaves nothing behind: neither in the process nor for its next schedule."""

import asyncio
import gc
import os
import random
import sys
import threading
import time

import pytest

import linecook.errors
from linecook.testing import explore, outside


def test_everything_that_was_replaced_is_put_back_also_after_a_failure() -> None:
    def state() -> tuple[object, ...]:
        return (
            time.monotonic, time.sleep, os.urandom, random.Random.seed, threading.Lock, asyncio.Task, gc.isenabled(),
            sys.get_asyncgen_hooks(),
        )  # fmt: skip

    before = state()

    async def fails() -> None:
        assert await outside(False)

    async def escapes() -> None:
        await asyncio.open_connection("example.com", 80)

    explore(fails)
    assert state() == before
    with pytest.raises(linecook.errors.EscapedControl):
        explore(escapes)
    assert state() == before


def test_what_is_left_is_ended_before_the_next_schedule() -> None:
    ended = list[str]()

    async def left() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("left")

    async def main() -> None:
        task = asyncio.create_task(left())
        await asyncio.sleep(0)
        del task
        raise ValueError

    failure = explore(main).failure
    assert failure is not None
    assert failure.kind == "exception"
    assert ended


def test_a_task_that_resists_its_end_doesnt_stop_the_search() -> None:
    async def resists() -> None:
        while True:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        asyncio.get_running_loop().kept = asyncio.create_task(resists())  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    failure = explore(main, steps=5_000).failure
    assert failure is not None
    assert failure.kind == "leaked task"


def test_thousands_of_schedules_leave_no_memory_behind() -> None:
    async def main() -> None:
        async def fails() -> None:
            await outside()
            raise ValueError

        await asyncio.gather(fails(), fails(), fails(), return_exceptions=True)

    explore(main, schedules=50)
    gc.collect()
    before = len(gc.get_objects())
    explore(main, schedules=1_000)
    gc.collect()
    assert len(gc.get_objects()) - before < 2_000
