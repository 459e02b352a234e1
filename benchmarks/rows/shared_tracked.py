"""What it costs to share a value: one read and one write, with who, where and which version remembered."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable

from benchmarks.harness.meter import Meter
from benchmarks.harness.row import Row, Target

BATCH = 10_000

row = Row(
    title="read a shared value and write it back, in one task, µs",
    base="locked_dict",
    full={"times": 1_000_000},
    quick={"times": 20_000},
    targets=(Target("pair_us", 1.0, 0.6, at_most=True, says="tracked read + write with positions, µs"),),
    columns=("pair_us",),
    losing=(
        "A lock, taken and released: 0.13 µs; two calls of Python code behind the attribute: 0.15; which task this is, "
        "twice: 0.05; the two records: 0.15. On 3.11 to know which task this is costs 0.15 µs, twice."
    ),
)


@row.verify
def check(answer: int, times: int) -> str | None:
    """Every one of the additions is there."""
    wanted = times // BATCH * BATCH
    return None if answer == wanted else f"{answer} where {wanted} is right"


def measure(meter: Meter, times: int, batch: Callable[[], None], value: Callable[[], int]) -> None:
    """Run *batch*, which adds 1 as often as ``BATCH`` says, in a task; the figure is the median of the batches."""

    async def main() -> None:
        took: list[float] = []
        for _ in range(times // BATCH):
            start = time.process_time()
            batch()
            took.append((time.process_time() - start) / BATCH * 1e6)
        meter.note(pair_us=statistics.median(took))

    asyncio.run(main())
    meter.answer(value())


@row.linecook
def linecook(meter: Meter, times: int) -> None:
    from linecook import Shared

    cell = Shared(0)

    def batch() -> None:
        for _ in range(BATCH):
            cell.value = cell.value + 1

    measure(meter, times, batch, lambda: cell.value)


@row.linecook
def linecook_update(meter: Meter, times: int) -> None:
    """In one step: nobody can come in between."""
    from linecook import Shared

    cell = Shared(0)

    def batch() -> None:
        for _ in range(BATCH):
            cell.update(lambda value: value + 1)

    measure(meter, times, batch, lambda: cell.value)


@row.linecook
def linecook_map(meter: Meter, times: int) -> None:
    """One key of a map."""
    from linecook import SharedMap

    cells = SharedMap({"spent": 0})

    def batch() -> None:
        for _ in range(BATCH):
            cells["spent"] = cells["spent"] + 1

    measure(meter, times, batch, lambda: cells["spent"])


@row.stdlib
def locked_dict(meter: Meter, times: int) -> None:
    """What users write that think of threads."""
    cells, lock = {"spent": 0}, threading.Lock()

    def batch() -> None:
        for _ in range(BATCH):
            with lock:
                cells["spent"] = cells["spent"] + 1

    measure(meter, times, batch, lambda: cells["spent"])


@row.limit
def attribute(meter: Meter, times: int) -> None:
    """Nothing remembered, nothing noticed."""

    class Cell:
        value = 0

    cell = Cell()

    def batch() -> None:
        for _ in range(BATCH):
            cell.value = cell.value + 1

    measure(meter, times, batch, lambda: cell.value)
