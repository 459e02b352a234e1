"""The program of the soak: all kinds of trouble at once, for so many seconds; a line of figures on stdout each second.

``python -m benchmarks.soak.program SECONDS``; started by run.py, which looks at the process from outside.

Twice a minute it comes to rest: no round begins, those under way end, threads come back. What is counted then, after a
full collection, is what the program keeps and not what it is doing.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import sys
from typing import Any

from benchmarks.soak import troubles
from benchmarks.soak.kitchen import TROUBLES, Kitchen, again_and_again
from linecook import Runtime, run, scope
from linecook.testing.server import Phase, server

REST_EVERY = 30.0  # seconds
PATIENCE = 15.0  # seconds for what is under way to end
LOST_FOR_GOOD = 10  # threads in bodies that never come back
FAULTS = {"reset": 0.02, "hang": 0.02, "slow": 0.02, "garbage": 0.02, "cut": 0.02, "500": 0.02}
PHASES = (
    Phase(parallel=12, per_second=100, latency=(0.01, 0.05), seconds=8, retry_after=0.05, faults=FAULTS),
    Phase(parallel=3, latency=(0.02, 0.1), seconds=4, retry_after=0.1, faults=FAULTS),
    Phase(parallel=40, when_full=503, latency=0.005, seconds=8, retry_after=0.05, faults={"nonsense": 0.05}),
)


class Notices(logging.Handler):
    """Counts what linecook says in the log, which is a lot here."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()
        self.count += 1


def counting_notices() -> Notices:
    notices, log = Notices(), logging.getLogger("linecook")
    log.addHandler(notices)
    log.propagate = False
    return notices


class _Mallinfo(ctypes.Structure):
    """What glibc's ``mallinfo2`` tells, 2.33 and later."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def malloced_mb() -> float:
    """Megabytes that malloc has given out: what is resident besides, it keeps for later; 0 with another libc."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return 0.0
    ask.restype = _Mallinfo
    told = ask()
    return round((told.uordblks + told.hblkhd) / 1e6, 2)


def abandoned(kitchen: Kitchen) -> int:
    return int(kitchen.runtime.lane("thread").statistics()["abandoned"])


async def rests(kitchen: Kitchen, kept: dict[str, float]) -> None:
    """Bring the program to rest now and then, and put what it keeps into *kept*."""
    while True:
        await asyncio.sleep(REST_EVERY)
        kitchen.open.clear()
        give_up = asyncio.get_running_loop().time() + PATIENCE
        while (kitchen.at_work or abandoned(kitchen) > LOST_FOR_GOOD) and asyncio.get_running_loop().time() < give_up:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)  # for what a round leaves to the runtime: tasks that resist, streams that were dropped
        gc.collect()
        await asyncio.sleep(0.05)  # for what a collection sets off
        kept |= {
            "tasks": len(asyncio.all_tasks()),
            "objects": len(gc.get_objects()),
            "blocks": sys.getallocatedblocks(),
            "heap_mb": malloced_mb(),
        }
        kitchen.open.set()


async def tell_each_second(kitchen: Kitchen, kept: dict[str, float], notices: Notices, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    began = due = loop.time()
    while due < began + seconds:
        due += 1
        await asyncio.sleep(due - loop.time())
        told: dict[str, Any] = {"seconds": round(due - began), "late_ms": round((loop.time() - due) * 1000)}
        told |= {
            "abandoned": abandoned(kitchen),
            "calls": kitchen.calls,
            "served": kitchen.served,
            "notices": notices.count,
        }
        print(json.dumps(told | kept | {"wrong": kitchen.wrong}), flush=True)
        kept.clear()


async def soak(seconds: float, runtime: Runtime) -> None:
    notices = counting_notices()
    kept = dict[str, float]()
    with server(*PHASES, repeat=True, minute=10.0) as models:
        kitchen = Kitchen(runtime, models.url)
        await troubles.threads.lose_threads(LOST_FOR_GOOD)
        until = asyncio.get_running_loop().time() + seconds
        async with scope() as s:
            for trouble, pause in TROUBLES.items():
                s.start(again_and_again(trouble, pause, kitchen, until))
            resting = s.start(rests(kitchen, kept))
            await tell_each_second(kitchen, kept, notices, seconds)
            resting.cancel()
            kitchen.open.set()
        assert kitchen.served, "the server never gave an answer"


if __name__ == "__main__":
    # The watch is on; with the usual 0.1 s a busy machine has a stall every few seconds. The latest 1,000 are kept: a
    # list that grows for an hour, and says nothing.
    opened = Runtime(control=True, stall=1.0)
    run(soak(float(sys.argv[1]), opened), runtime=opened)
