"""Bodies in processes: killed, left, never ending, and a killer from outside."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from benchmarks.soak.kitchen import Burnt, Kitchen, every
from linecook import Cancelled, Failed, Ok, Outcome, TimedOut, settle, tool
from linecook.errors import LaneLost


@tool(lane="process", effect="read", attempt_timeout=0.4)
def computes(number: int, end: str) -> int:
    """End as told: with a result, an error, a kill, an exit, or not at all."""
    if end == "spin":
        while True:
            pass
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "exit":
        os._exit(3)
    if end == "raise":
        raise Burnt(number)
    return sum(range(number))


@every(0.5)
async def processes_that_die(kitchen: Kitchen) -> None:
    """Eight calls in processes, one of which kills its worker, leaves it, or never ends."""
    ends = ["return"] * 6 + ["raise", kitchen.dice.choice(["spin", "kill", "exit"])]
    kitchen.dice.shuffle(ends)
    outcomes = await settle(computes(1000 + place, end) for place, end in enumerate(ends))
    for place, (end, outcome) in enumerate(zip(ends, outcomes, strict=True)):
        kitchen.expect(_is_right(place, end, outcome), f"a process told to {end}: {outcome!r}")
    kitchen.calls += 8


def _is_right(place: int, end: str, outcome: Outcome[int]) -> bool:
    match outcome:
        case Ok(value):
            return end == "return" and value == sum(range(1000 + place))
        case Failed(error):
            return isinstance(error, LaneLost) or (end == "raise" and isinstance(error, Burnt))  # the killer meets any
        case TimedOut():
            return True  # any may be: its worker was slow to come on a busy machine
        case Cancelled():
            return False


@tool(lane="process", effect="read")
def turned_round(block: bytes) -> bytes:
    return block[::-1]


@every(2.0)
async def megabytes_and_a_killer(kitchen: Kitchen) -> None:
    """Large answers under way while somebody kills a worker from outside."""
    block = kitchen.dice.randbytes(1 << 20)
    calls = [asyncio.create_task(_turned(block)) for _ in range(4)]
    await asyncio.sleep(kitchen.dice.uniform(0.0, 0.02))
    if workers := _worker_processes():
        with suppress(ProcessLookupError):
            os.kill(kitchen.dice.choice(workers), signal.SIGKILL)
    for answer in await asyncio.gather(*calls):
        kitchen.expect(answer in (None, block[::-1]), "a megabyte came back changed")
    kitchen.calls += 4


async def _turned(block: bytes) -> bytes | None:
    try:
        return await turned_round(block)
    except LaneLost:
        return None


def _worker_processes() -> list[int]:
    """Return the process ids of linecook's workers among our children."""
    found = list[int]()
    for pid in _children_of(os.getpid()):
        with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as command:
            if b"/lanes/worker.py" in command.read():
                found.append(pid)
    return found


def _children_of(pid: int) -> list[int]:
    found = list[int]()
    for task in os.listdir(f"/proc/{pid}/task"):
        with suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as children:
            found += map(int, children.read().split())
    return found
