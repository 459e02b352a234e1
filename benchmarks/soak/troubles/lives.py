"""Whole runtimes that come and go, with resources and hung calls; and those who look at the program."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

from benchmarks.soak.kitchen import Kitchen, every
from benchmarks.soak.troubles.cancels import waits
from benchmarks.soak.troubles.processes import computes
from benchmarks.soak.troubles.threads import hangs
from linecook import Runtime, gather, resource, run, tool
from linecook.errors import LaneLost, TimedOutError
from linecook.observe import diagnose


@resource(per="thread")
def notebook() -> Iterator[list[int]]:
    made = [0]
    yield made
    made.clear()


@resource
async def connection() -> AsyncIterator[object]:
    reader, writer = os.pipe()
    yield object()
    os.close(reader)
    os.close(writer)


@tool
def writes_down() -> int:
    notebook()[0] += 1
    return notebook()[0]


@tool
async def uses_connection() -> bool:
    return await connection() is not None


async def a_life() -> int:
    """A whole program: lanes of its own, resources, work in the background, and a hung call."""
    async with Runtime(threads=2, processes=1, drain=0.1, stall=0.1) as runtime:
        runtime.start(waits(60))
        with suppress(TimedOutError):
            await hangs(0.5)
        await gather(writes_down() for _ in range(10))
        assert await uses_connection()
        return await computes(10, "return") if random.random() < 0.5 else 45


@every(3.0)
async def runtimes_come_and_go(kitchen: Kitchen) -> None:
    """On this loop, and on another one in a thread, which ends with its resources."""
    with suppress(TimedOutError, LaneLost):
        kitchen.expect(await a_life() == 45, "a life came to nothing")
    told = list[Any]()
    thread = threading.Thread(target=_run_a_life, args=(told,))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.02)
    kitchen.expect(told == [45] or isinstance(told[0], (TimedOutError, LaneLost)), f"in another thread: {told}")
    kitchen.calls += 26


def _run_a_life(told: list[Any]) -> None:
    try:
        told.append(run(a_life()))
    except BaseException as error:
        told.append(error)


@every(3.0)
async def somebody_looks(kitchen: Kitchen) -> None:
    """``linecook ps`` and ``tree`` from outside, ``diagnose`` and a subscriber from inside."""
    seen = list[str]()
    leave = kitchen.runtime.subscribe(lambda event: seen.append(event.kind))
    str(diagnose())
    str(kitchen.runtime.report())
    command = [sys.executable, "-m", "linecook", kitchen.dice.choice(["ps", "tree"]), str(os.getpid())]
    looker = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    told, complaint = await looker.communicate()
    leave()
    kitchen.expect(looker.returncode == 0 and bool(told), f"{command[3]} said {complaint!r:.200}")
