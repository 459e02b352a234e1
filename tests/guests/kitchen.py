"""The tools that every guest is given, unchanged. Their annotations are strings, as in half of all modules."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from linecook import agent, tool

RELEASE = threading.Event()  # set when a test ends: what hung until then goes home


@dataclass
class Table:
    """Where a guest sits."""

    number: int
    room: str = "hall"


@tool(timeout=10)
def look_up(city: str, days: int = 3, *, unit: Literal["C", "F"] = "C") -> str:
    """Look up the weather of a city.

    Args:
        city: Name of the city.
        days: How many days ahead.
        unit: Unit of the temperature.
    """
    return f"{city}: {days} days in {unit}"


@tool(lane="process", timeout=30)
def letters(text: str) -> int:
    """Count letters, in a process."""
    return len(text)


@tool
async def greet(name: str) -> str:
    """Greet on the loop."""
    return f"hello {name}"


@tool(lane="inline")
def double(number: int) -> int:
    """Double a number, on the loop itself."""
    return 2 * number


HANGING: list[str] = []


@tool(timeout=0.3)
def hang(city: str) -> str:
    """Never answer."""
    HANGING.append(city)
    RELEASE.wait(60)
    return city


SERVED: list[str] = []


def simple(city: str) -> str:
    """Answer at once; no tool of ours."""
    SERVED.append(city)
    return city


@tool(timeout=2)
def visit(number: int) -> str:
    """Visit a shop; the one with number 7 never answers."""
    if number == 7:
        RELEASE.wait(60)
    time.sleep(0.05)
    return f"shop {number}"


@tool
def nap(number: int) -> int:
    """Block a thread for a while."""
    time.sleep(0.3)
    return number


@tool
def broken(city: str) -> str:
    """Fail."""
    raise LookupError(f"no such city: {city}")


@tool
def pieces(text: str) -> Iterator[str]:
    """Stream letters; no framework takes them one by one."""
    yield from text


@agent
async def briefing(city: str) -> str:
    """Ask two tools."""
    return f"{await greet(city)}, {await look_up(city, 1)}"


class Gauge:
    """How many calls of ``count`` were under way at once, at most."""

    lock = threading.Lock()
    now = most = 0


@tool(limit=3)
def count(number: int) -> int:
    """Count who else is here."""
    with Gauge.lock:
        Gauge.now += 1
        Gauge.most = max(Gauge.most, Gauge.now)
    time.sleep(0.01)
    with Gauge.lock:
        Gauge.now -= 1
    return number


class Waiter:
    """Has a tool for a method."""

    def __init__(self, name: str) -> None:
        self.name = name

    @tool(timeout=10)
    def serve(self, dish: str, table: Table) -> str:
        """Serve a dish.

        Args:
            dish: What to serve.
            table: Where to.
        """
        assert isinstance(table, Table)
        return f"{dish} by {self.name} at {table.number} in the {table.room}"


STILL: list[str] = []


@tool
async def simmer(dish: str) -> str:
    """Simmer until somebody turns the fire off."""
    STILL.append(f"{dish} begun")
    try:
        await asyncio.sleep(60)
    finally:
        STILL.append(f"{dish} off the fire")
    return dish


async def until(condition: Callable[[], bool]) -> None:
    """Wait for *condition*; the caller bounds it."""
    while not condition():
        await asyncio.sleep(0.01)
