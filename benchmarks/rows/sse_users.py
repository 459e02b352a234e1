"""300 people at once, each reading four agents over SSE: what the others cost the wait for the first piece."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.harness.meter import Meter, percentile
from benchmarks.harness.row import Row, Target
from benchmarks.rows._sse_server import AGENTS, PIECES, THINKING

PATIENCE = 10.0  # seconds in which everything has to be gone after the last client

row = Row(
    title="300 users × 4 agents over SSE (FastAPI, uvicorn), a sync tool of 5 ms for each piece",
    base="by_hand_pool64",
    full={"users": 300, "answers": 2},
    quick={"users": 10, "answers": 1},
    targets=(
        Target("first_ratio", 3.0, 2.0, at_most=True, says="first piece, p99 × one user alone (median)"),
        Target("left_alive", 0, 0, at_most=True, says="tasks, tools and agents alive after the last client left"),
    ),
    columns=("alone_ms", "first_ms", "first_p99_ms", "first_ratio", "left_alive", "gone_ms"),
    time_limit=120.0,
    losing="Every piece passes a thread, the merge, Starlette's response and uvicorn's connection on one core.",
)


@dataclass
class Seen:
    """What the users saw, and what the server says of itself when they have left.

    Args:
      read: what each answer that was read to its end said, by agent.
      left: how many users left in the middle of an answer.
      alive: how much more than before them is alive in the server in the end.
    """

    read: list[dict[str, list[str]]] = field(default_factory=list)
    left: int = 0
    alive: dict[str, int] = field(default_factory=dict)


WANTED = {part: [f"{part.upper()} {number}" for number in range(PIECES)] for part in AGENTS}


@row.verify
def check(seen: Seen, users: int, answers: int) -> str | None:
    """Every answer was whole and in order, everybody left one more in the middle, and the server said what is alive."""
    if len(seen.read) != users * answers or any(answer != WANTED for answer in seen.read):
        wrong = next((answer for answer in seen.read if answer != WANTED), None)
        return f"{len(seen.read)} answers of {users * answers}, or one was wrong: {wrong!s:.120}"
    if seen.left != users:
        return f"{seen.left} users left in the middle of an answer, of {users}"
    return None if set(seen.alive) == {"tasks", "tools", "agents"} else f"alive are {seen.alive}"


@contextmanager
def server(kind: str) -> Iterator[int]:
    """Start the server and give its port; it's gone when the block ends, however it ends."""
    command = [sys.executable, "-m", "benchmarks.rows._sse_server", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"the server did not start; run `{' '.join(command[1:])}` to see why")
        try:
            yield int(port)
        finally:
            process.terminate()


@asynccontextmanager
async def get(port: int, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """Ask for *path* over a connection of its own, and give what follows the head of the reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: kitchen\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        yield reader
    finally:
        writer.transport.abort()  # as a browser does whose tab is closed


async def events(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, Any]]:
    """Read the events of a stream, until the one named end."""
    name = ""
    while name != "end":
        line = (await reader.readline()).decode()
        if line.startswith("event: "):
            name = line[7:].strip()
        elif line.startswith("data: ") and name != "end":
            yield name, json.loads(line[6:])


class Crowd:
    """Users who ask, read, and in the end leave."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._seeds = iter(range(10**9))
        self.seen = Seen()

    async def ask(self, *, read: bool) -> float:
        """Ask, read all of it or leave after the first piece, and return the seconds until that."""
        began, first = time.perf_counter(), 0.0
        answer: dict[str, list[str]] = {part: [] for part in AGENTS}
        async with get(self._port, f"/ask?seed={4 * next(self._seeds)}") as reader:
            async for part, piece in events(reader):
                first = first or time.perf_counter() - began
                if not read:
                    return first
                answer[part].append(piece)
        self.seen.read.append(answer)
        return first

    async def use(self, number: int, answers: int) -> list[float]:
        """Be one of the users: come at some moment, read so many answers, and leave one more in the middle."""
        await asyncio.sleep(random.Random(number).random() * THINKING * PIECES)
        waits = [await self.ask(read=True) for _ in range(answers)]
        waits.append(await self.ask(read=False))
        self.seen.left += 1
        return waits

    async def alive(self) -> dict[str, int]:
        """Ask the server what is alive in it."""
        async with get(self._port, "/left") as reader:
            said: dict[str, int] = json.loads(await reader.read())
            return said


async def measure(meter: Meter, port: int, users: int, answers: int) -> None:
    """One user alone, then all of them, then nobody."""
    crowd = Crowd(port)
    for _ in range(5):
        await crowd.ask(read=False)
    await asyncio.sleep(0.5)
    alone = [await crowd.ask(read=False) for _ in range(50)]
    before = await gone(crowd, {})
    with uncollected():
        async with meter.watching():
            each = await asyncio.gather(*(crowd.use(number, answers) for number in range(users)))
    began = time.perf_counter()
    crowd.seen.alive = await gone(crowd, before)
    waits = [wait for of_one in each for wait in of_one]
    median, p99 = statistics.median(alone), percentile(waits, 0.99)
    meter.note(
        alone_ms=median * 1000, first_ms=statistics.median(waits) * 1000, first_p99_ms=p99 * 1000,
        first_ratio=p99 / median, left_alive=sum(crowd.seen.alive.values()),
        gone_ms=(time.perf_counter() - began) * 1000,
    )  # fmt: skip
    meter.answer(crowd.seen)


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage in this process: 300 people aren't one, in which all would stand still for it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def gone(crowd: Crowd, before: dict[str, int]) -> dict[str, int]:
    """Wait until no more than *before* is alive in the server, and return how much more is when patience ends.

    Without a *before*: wait until it is the same for a while, and return that.
    """
    until = time.perf_counter() + (PATIENCE if before else 0.5)
    while True:
        now = await crowd.alive()
        more = {name: now[name] - before.get(name, 0) for name in now}
        if (before and not any(more.values())) or time.perf_counter() > until:
            return more
        await asyncio.sleep(0.02)


def _run(kind: str, meter: Meter, users: int, answers: int) -> None:
    with server(kind) as port:
        asyncio.run(measure(meter, port, users, answers))


@row.linecook
def linecook(meter: Meter, users: int, answers: int) -> None:
    _run("linecook", meter, users, answers)


@row.stdlib
def by_hand_to_thread(meter: Meter, users: int, answers: int) -> None:
    """Tasks, queues and the loop's default pool, of 4 threads more than the machine has processors."""
    _run("to_thread", meter, users, answers)


@row.stdlib
def by_hand_pool64(meter: Meter, users: int, answers: int) -> None:
    """The same, and somebody has thought of the pool."""
    _run("pool64", meter, users, answers)
