"""Items inside of two stages over time, the second one slow: no bound, a bound on workers, back-pressure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from _plot import FOURTH, OURS, STDLIB, figure, main, save

ITEMS = 3_000
FETCHING, STORING = 32, 4  # at a time
BLOB = 10_000  # bytes of what is fetched


class Flow:
    """What was read, what was stored, and how many were between, 50 times a second."""

    def __init__(self, items: int) -> None:
        self.items = items
        self.read = self.stored = 0
        self.inside: list[tuple[float, int]] = []
        self._began = time.monotonic()

    def numbers(self) -> Iterator[int]:
        for number in range(self.items):
            self.read += 1
            yield number

    async def fetch(self, number: int) -> bytes:
        await asyncio.sleep(0.002)
        return number.to_bytes(4) * (BLOB // 4)

    async def store(self, blob: bytes) -> int:
        await asyncio.sleep(0.004)
        self.stored += 1
        return len(blob)

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.02)

    def look(self) -> None:
        self.inside.append((time.monotonic() - self._began, self.read - self.stored))


async def unbounded(flow: Flow) -> None:
    """A queue between the two stages, as ``asyncio.Queue()`` makes it: without a bound."""
    blobs: asyncio.Queue[bytes] = asyncio.Queue()
    numbers = flow.numbers()

    async def fetching() -> None:
        for number in numbers:
            await blobs.put(await flow.fetch(number))

    async def storing() -> None:
        while flow.stored < flow.items:
            await flow.store(await blobs.get())

    tasks = [asyncio.create_task(storing()) for _ in range(STORING)]
    await asyncio.gather(*(fetching() for _ in range(FETCHING)))
    while flow.stored < flow.items:
        await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()


async def semaphores(flow: Flow) -> None:
    """A semaphore for each stage, and ``gather``."""
    fetching, storing = asyncio.Semaphore(FETCHING), asyncio.Semaphore(STORING)

    async def one(number: int) -> None:
        async with fetching:
            blob = await flow.fetch(number)
        async with storing:
            await flow.store(blob)

    await asyncio.gather(*(one(number) for number in flow.numbers()))


async def stages(flow: Flow) -> None:
    from linecook import pipeline

    await pipeline(flow.numbers()).map(flow.fetch, workers=FETCHING).into(flow.store, workers=STORING)


WAYS = {
    "gather, a semaphore for each stage": (semaphores, FOURTH),
    "a queue without bound": (unbounded, STDLIB),
    "pipeline": (stages, OURS),
}


def measure(name: str, quick: bool) -> dict[str, Any]:
    async def measured() -> dict[str, Any]:
        flow = Flow(200 if quick else ITEMS)
        watching = asyncio.create_task(flow.watch())
        began = time.monotonic()
        await WAYS[name][0](flow)
        took = time.monotonic() - began
        watching.cancel()
        flow.look()
        return {"inside": flow.inside, "took": took, "stored": flow.stored}

    return asyncio.run(measured())


def draw(figures: dict[str, Any]) -> list[list[str]]:
    made, (panel,) = figure()
    rows = [["3,000 items of 10 kB", "inside at most", "that is", "took"]]
    for name, (_, color) in WAYS.items():
        told = figures[name]
        times, counts = zip(*told["inside"], strict=True)
        panel.plot(times, counts, color=color, label=name)
        most = max(counts)
        rows.append([name, f"{most:,}", f"{most * BLOB / 1e6:.1f} MB", f"{told['took']:.1f} s"])
    panel.set(title="items read and not yet stored", xlabel="seconds", ylim=(0, None), xlim=(0, None))
    made.legend(loc="outside lower center", ncols=3)
    save(__file__, made, "Items inside over time: two ways rise to thousands, a pipeline stays at some three hundred.")
    return rows


if __name__ == "__main__":
    main(__file__, {name: partial(measure, name) for name in WAYS}, draw)
