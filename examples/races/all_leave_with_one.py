"""One caller gives up, and all who load the same key are cancelled: aiodataloader 0.4.3. No report found.

``loader.load(key)`` gives every caller of a key the same future, and keeps it in its cache. A caller that awaits it
and is cancelled, by a time-out for instance, cancels that future: the others get ``CancelledError`` although nobody
cancelled them, and so does every later ``load`` of the key. To await ``asyncio.shield(loader.load(key))`` avoids it.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("0.4.0", "0.4.1", "0.4.2", "0.4.3")
try:
    from aiodataloader import DataLoader

    FOUND = version("aiodataloader")
    SKIPPED = "" if FOUND in SEEN_IN else f"aiodataloader {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "aiodataloader is not installed: pip install aiodataloader==0.4.3"


async def main() -> None:
    async def prices(dishes: list[str]) -> list[int]:
        return await outside([len(dish) for dish in dishes])

    loader: DataLoader[str, int] = DataLoader(prices)

    async def impatient() -> int | None:
        try:
            async with asyncio.timeout(1):
                return await loader.load("soup")
        except TimeoutError:
            return None

    async def patient() -> int:
        return await loader.load("soup")

    _, price = await asyncio.gather(impatient(), patient(), return_exceptions=True)
    assert price == 4, f"nobody cancelled this one, and it got {price!r}"


async def with_real_sleeps() -> list[str]:
    """Return what the patient caller got, and a later one, on asyncio's own loop."""

    async def prices(dishes: list[str]) -> list[int]:
        await asyncio.sleep(0.1)
        return [len(dish) for dish in dishes]

    loader: DataLoader[str, int] = DataLoader(prices)

    async def load(patience: float) -> int:
        async with asyncio.timeout(patience):
            return await loader.load("soup")

    answers = await asyncio.gather(load(0.02), load(5), return_exceptions=True)
    later = await asyncio.gather(load(5), return_exceptions=True)
    await asyncio.sleep(0.2)  # the batch ends, and nobody waits for it
    return [type(answer).__name__ for answer in [*answers, *later]]


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    if SKIPPED:
        print(f"skipped: {SKIPPED}")
    else:
        print(search())
        print(f"\non asyncio's own loop, with real sleeps: {asyncio.run(with_real_sleeps())}")
