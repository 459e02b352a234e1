"""Bodies on threads: hung ones, deaf ones, and many that are quick."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from benchmarks.soak.kitchen import Kitchen, every
from linecook import Ok, TimedOut, gather, settle, tool
from linecook.errors import TimedOutError

for_good = threading.Event()  # is never set


@tool(effect="read")
def short(number: int) -> int:
    return number + 1


@tool(timeout=0.1, effect="read")
def hangs(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@tool(timeout=0.1, effect="read")
def hangs_for_good() -> None:
    for_good.wait()


@tool(timeout=0.2)
def catches_everything(seconds: float) -> float:
    """A body that would not even hear an interrupt."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(BaseException):
            time.sleep(0.05)
    return seconds


@every(0.3)
async def threads_that_hang(kitchen: Kitchen) -> None:
    """Twenty calls, of which three hang for up to 4 s: abandoned, and back later."""
    seconds = [0.0] * 17 + [kitchen.dice.uniform(1.0, 4.0) for _ in range(3)]
    outcomes = await settle(hangs(each) for each in seconds)
    for asked, outcome in zip(seconds, outcomes, strict=True):
        # A loop that got no turn for all that time answers with what the body has returned meanwhile.
        kitchen.expect(isinstance(outcome, TimedOut) or outcome == Ok(asked), f"{outcome!r} of a body of {asked} s")
    kitchen.calls += 20


@every(1.0)
async def threads_that_catch_everything(kitchen: Kitchen) -> None:
    with suppress(TimedOutError):
        await catches_everything(kitchen.dice.uniform(0.1, 1.0))
    kitchen.calls += 1


@every(0.1)
async def many_short_ones(kitchen: Kitchen) -> None:
    numbers = range(200)
    answers = await gather(short(number) for number in numbers)
    kitchen.expect(answers == [number + 1 for number in numbers], "gather mixed up its answers")
    kitchen.calls += 200


async def lose_threads(count: int) -> None:
    """Abandon so many threads to bodies that never end."""
    await settle(hangs_for_good() for _ in range(count))
