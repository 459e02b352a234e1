"""What the board costs the run that it shows."""

from __future__ import annotations

import asyncio
import os
import pty
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TextIO

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

row = Row(
    title="the board and all its facts, in per cent more than no board",
    base="linecook_loop",
    full={"agents": 10_000, "calls": 10, "pairs": 9},
    quick={"agents": 200, "calls": 10, "pairs": 1},
    targets=(
        Target("cpu_more", 5, 2, of="linecook_loop", at_most=True, says="tools on the loop, % more CPU"),
        Target("cpu_more", 5, 2, of="linecook_thread", at_most=True, says="tools on threads, % more CPU"),
        Target("cpu_more", 5, 2, of="linecook_mixed", at_most=True, says="both, and waiting, % more CPU"),
    ),
    columns=("cpu_more", "wall_more", "thread_cpu", "wall_s"),
    time_limit=240.0,
)

Agent = Callable[[int], Coroutine[Any, Any, int]]
Tell = Callable[[str], None]
Block = Callable[[Tell], Coroutine[Any, Any, int]]
Run = Callable[[Coroutine[Any, Any, None]], None]
Shown = Callable[[TextIO], AbstractContextManager[Tell]]


@row.verify
def check(answers: list[int], agents: int, calls: int, pairs: int) -> str | None:
    """Every agent of every block summed the numbers of its calls."""
    wanted = [sum(n + call for n in range(agents) for call in range(calls))] * (2 * pairs)
    return None if answers == wanted else f"sums {answers[:3]}… where {wanted[0]} is right"


@contextmanager
def terminal() -> Iterator[TextIO]:
    """A pty that somebody reads, in a process of its own: what a terminal does with the frames is not ours to pay."""
    ours, theirs = pty.openpty()
    reader = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(ours)
    try:
        with open(theirs, "w") as stream:
            yield stream
    finally:
        reader.kill()
        reader.wait()


def compare(
    meter: Meter, pairs: int, block: Block, shown: Shown, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    """Run *block* in turns with and without being *shown*; the figures are medians of the pairs' differences.

    CPU seconds are those of the whole process, the board's own thread included. In one process, pair by pair: two
    processes differ by more than what is measured. ``thread_cpu`` is that thread's part alone, in per cent of one CPU.
    """
    os.environ["TERM"] = "xterm-256color"
    answers, shares = list[int](), list[float]()
    cpu_more, wall_more, wall_s = list[float](), list[float](), list[float]()

    async def timed(tell: Tell) -> tuple[float, float]:
        wall, cpu, board = time.perf_counter(), time.process_time(), _board_cpu()
        answers.append(await block(tell))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        shares.append((_board_cpu() - board) / wall * 100)
        return wall, cpu

    async def watched(stream: TextIO) -> tuple[float, float]:
        with shown(stream) as tell:
            await asyncio.sleep(0.8)  # a board draws by now
            return await timed(tell)

    async def main() -> None:
        with terminal() as stream:
            await block(_ignore)
            for pair in range(pairs):
                first = await (watched(stream) if pair % 2 else timed(_ignore))
                second = await (timed(_ignore) if pair % 2 else watched(stream))
                (wall, cpu), (plain_wall, plain_cpu) = (first, second) if pair % 2 else (second, first)
                cpu_more.append((cpu / plain_cpu - 1) * 100)
                wall_more.append((wall / plain_wall - 1) * 100)
                wall_s.append(plain_wall)

    run(main())
    meter.note(
        cpu_more=statistics.median(cpu_more), wall_more=statistics.median(wall_more), wall_s=statistics.median(wall_s),
        thread_cpu=statistics.median(share for share in shares if share) if any(shares) else 0.0,
    )  # fmt: skip
    meter.answer(answers)


def compare_board(meter: Meter, agents: int, pairs: int, reader: Agent) -> None:
    """Compare *agents* calls of *reader* under a board, and without."""
    from linecook import Ok, Runtime, as_completed, run
    from linecook.observe import Board

    runtime = Runtime()

    async def block(tell: Tell) -> int:
        total = 0
        async with as_completed((reader(n) for n in range(agents)), limit=1000) as outcomes:
            async for outcome in outcomes:
                assert isinstance(outcome, Ok), outcome
                tell("Ok")
                total += outcome.value
        return total

    @contextmanager
    def shown(stream: TextIO) -> Iterator[Tell]:
        with Board(agents, stream) as board:
            board.attach(runtime)
            yield board.update

    compare(meter, pairs, block, shown, lambda main: run(main, runtime=runtime))


def _board_cpu() -> float:
    ids = [thread.native_id for thread in threading.enumerate() if thread.name == "linecook-board"]
    return sum(int(Path(f"/proc/self/task/{each}/schedstat").read_text().split()[0]) for each in ids) / 1e9


def _ignore(_: str) -> None:
    return


def plus(number: int, call: int) -> int:
    """The body of a tool on a thread."""
    return number + call


async def plus_soon(number: int, call: int) -> int:
    """The body of a tool on the loop."""
    await asyncio.sleep(0)
    return number + call


async def plus_later(number: int, call: int) -> int:
    """The body of a tool on the loop that waits, as one that asks a model does."""
    await asyncio.sleep(0.02 + call * 0.002)
    return number + call


@row.linecook
def linecook_loop(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    from linecook import agent, tool

    added = tool(plus_soon)

    @agent
    async def reader(number: int) -> int:
        return sum([await added(number, call) for call in range(calls)])

    compare_board(meter, agents, pairs, reader)


@row.linecook
def linecook_thread(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    from linecook import agent, tool

    added = tool(plus)

    @agent
    async def reader(number: int) -> int:
        return sum([await added(number, call) for call in range(calls)])

    compare_board(meter, agents, pairs, reader)


@row.linecook
def linecook_mixed(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    from linecook import agent, tool

    threaded, waiting = tool(plus), tool(limit=2000)(plus_later)

    @agent
    async def reader(number: int) -> int:
        return sum([await (threaded if call % 2 else waiting)(number, call) for call in range(calls)])

    compare_board(meter, agents, pairs, reader)


@row.stdlib
def print_each(meter: Meter, agents: int, calls: int, pairs: int) -> None:
    """Count on the terminal's last row, from the loop, as is usually done; the same tools without linecook."""

    async def reader(number: int) -> int:
        return sum([await plus_soon(number, call) for call in range(calls)])

    async def block(tell: Tell) -> int:
        total = 0
        for begin in range(0, agents, 1000):
            tasks = [asyncio.create_task(reader(n)) for n in range(begin, min(agents, begin + 1000))]
            for task in asyncio.as_completed(tasks):
                total += await task
                tell("Ok")
        return total

    @contextmanager
    def shown(stream: TextIO) -> Iterator[Tell]:
        done = 0

        def tell(_: str) -> None:
            nonlocal done
            done += 1
            print(f"\r{done:,} of {agents:,}", end="", file=stream, flush=True)

        yield tell

    compare(meter, pairs, block, shown, asyncio.run)
