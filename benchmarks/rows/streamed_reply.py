"""The first piece of an answer that three agents pass on: what they add to the wait for it."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Callable

from benchmarks.harness.meter import Meter, percentile
from benchmarks.harness.row import Row, Target

PIECES = 20
Answer = Callable[[], AsyncIterator[int]]

row = Row(
    title="an answer in 20 pieces, passed on by three agents",
    base="three_generators",
    unit="pieces",
    full={"answers": 2000},
    quick={"answers": 5},
    units=lambda size: size["answers"] * PIECES,
    targets=(
        Target("first_ms", 1.0, 0.2, at_most=True, says="first piece, ms (median)"),
        Target("first_p99_ms", 1.0, 1.0, at_most=True, says="first piece, ms (p99)"),
    ),
    columns=("first_ms", "first_p99_ms", "wall_s"),
    losing="Each agent's wait, its reader's wait and the question between them, three times.",
)


@row.verify
def check(pieces: list[int], answers: int) -> str | None:
    """Every piece of every answer came, in order."""
    return None if pieces == [*range(PIECES)] * answers else f"the pieces are {pieces[:3]}…"


async def read(meter: Meter, answer: Answer, answers: int) -> None:
    """Read so many answers, one after the other."""
    pieces, waits = list[int](), list[float]()
    async with meter.watching():
        for _ in range(answers):
            began, first = time.perf_counter(), True
            async for piece in answer():
                if first:
                    waits.append((time.perf_counter() - began) * 1000)
                    first = False
                pieces.append(piece)
    meter.note(first_ms=statistics.median(waits), first_p99_ms=percentile(waits, 0.99))
    meter.answer(pieces)


@row.linecook
def linecook(meter: Meter, answers: int) -> None:
    from linecook import Ask, Inbox, Ref, agent, run, team

    class Tell(Ask[int]):
        pass

    @agent
    async def teller(inbox: Inbox[Tell]) -> None:
        async for message in inbox:
            for number in range(PIECES):
                await message.send(number)

    @agent
    async def passer(inbox: Inbox[Tell], behind: Ref[Tell]) -> None:
        async for message in inbox:
            async for piece in behind.stream(message.body):
                if not await message.send(piece):
                    break

    async def main() -> None:
        async with team() as office:
            last = office.start(teller())
            middle = office.start(passer(last))
            first = office.start(passer(middle))
            await read(meter, lambda: first.stream(Tell()), answers)

    run(main())


@row.stdlib
def three_generators(meter: Meter, answers: int) -> None:
    """No agents: nothing waits for anybody, nothing can fail or leave by itself."""
    import asyncio

    async def tell() -> AsyncIterator[int]:
        for number in range(PIECES):
            await asyncio.sleep(0)
            yield number

    async def pass_on(behind: Answer) -> AsyncIterator[int]:
        async for piece in behind():
            yield piece

    asyncio.run(read(meter, lambda: pass_on(lambda: pass_on(tell)), answers))
