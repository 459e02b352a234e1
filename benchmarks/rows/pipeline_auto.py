"""A cost that moves from one stage to the next midway: do the workers follow? In virtual time.

What they are held to is no bound of nature, and a ratio of 1 may be passed by a hair: each half that runs alone fills
its stages and works them off at its end, which one run over both does once; and a fixed split is one of whole workers,
57 to 7, while workers that move meet 57.6 to 6.4 on average.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target
from benchmarks.rows._queues import through

COSTS = ((0.09, 0.01), (0.01, 0.09))  # seconds in the second and the third stage, in each half
TOTAL = 64  # workers of both

row = Row(
    title='a cost moves from stage 2 to stage 3 midway, workers="auto"',
    base="best_fixed_split_per_half",
    unit="items",
    full={"items": 8_000},
    quick={"items": 2_000},
    targets=(
        Target(
            "per_s",
            0.9,
            0.95,
            over="best_fixed_split_per_half",
            says="items per virtual second × the best split, whose two halves fill and empty twice",
        ),
    ),
    columns=("per_s",),
)

Workers = int | Literal["auto"]


@row.verify
def check(answers: list[int], items: int) -> str | None:
    """Each item once."""
    return None if sorted(answers) == list(range(items)) else f"{len(answers)} answers, not each item once"


class Stages:
    """The three stages; from item *middle* on the costs are the others."""

    def __init__(self, middle: int) -> None:
        self._middle = middle

    async def first(self, number: int) -> int:
        return number

    async def second(self, number: int) -> int:
        await asyncio.sleep(COSTS[number >= self._middle][0])
        return number

    async def third(self, number: int) -> int:
        await asyncio.sleep(COSTS[number >= self._middle][1])
        return number


def virtual(numbers: range, middle: int, workers: tuple[Workers, Workers]) -> tuple[float, list[int]]:
    """Run the items and return the virtual seconds that it took, and the answers."""
    from linecook import pipeline
    from linecook.testing import VirtualClock

    clock, stages = VirtualClock(), Stages(middle)
    made = pipeline(numbers).map(stages.first)
    answers = clock.run(made.map(stages.second, workers=workers[0]).map(stages.third, workers=workers[1]).collect())
    return clock.time(), answers


@row.linecook
def linecook(meter: Meter, items: int) -> None:
    with meter.timing():
        seconds, answers = virtual(range(items), items // 2, ("auto", "auto"))
    meter.note(per_s=items / seconds)
    meter.answer(answers)


@row.stdlib
def hand_queues_even_split(meter: Meter, items: int) -> None:
    from linecook.testing import VirtualClock

    clock, stages = VirtualClock(), Stages(items // 2)
    half = TOTAL // 2

    async def main() -> list[int]:
        return [
            number
            async for number in through(range(items), (stages.first, 32), (stages.second, half), (stages.third, half))
        ]

    with meter.timing():
        answers = clock.run(main())
    meter.note(per_s=items / clock.time())
    meter.answer(answers)


@row.limit
def best_fixed_split_per_half(meter: Meter, items: int) -> None:
    """Each half alone, with the best split of the same workers that there is."""
    halves = (range(items // 2), range(items // 2, items))
    with meter.timing():
        best, answers = 0.0, list[int]()
        for numbers in halves:
            seconds, found = _best_split(numbers, items // 2)
            best += seconds
            answers += found
    meter.note(per_s=items / best)
    meter.answer(answers)


def _best_split(numbers: range, middle: int) -> tuple[float, list[int]]:
    """Try every eighth split, then all around the best: with more workers a stage is faster, the other one slower."""
    tried: dict[int, tuple[float, list[int]]] = {}

    def seconds(ours: int) -> float:
        if ours not in tried:
            tried[ours] = virtual(numbers, middle, (ours, TOTAL - ours))
        return tried[ours][0]

    coarse = min(range(8, TOTAL, 8), key=seconds)
    return tried[min(range(coarse - 7, coarse + 8), key=seconds)]
