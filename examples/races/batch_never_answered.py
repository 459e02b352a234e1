"""One caller of a batch gives up, and the others wait for ever: aiodataloader up to 0.4.0.

Reported with its cure as https://github.com/syrusakbary/aiodataloader/pull/44. The answers of a batch are handed out
one by one; at the one whose caller has gone, the loop over them ends with ``InvalidStateError``, and so does the
handling of that error: whoever comes later in the batch is never told anything.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

try:
    from aiodataloader import DataLoader

    FOUND = version("aiodataloader")
    SKIPPED = "" if FOUND.startswith(("0.3.", "0.4.0")) else f"aiodataloader {FOUND} is installed, and this shows 0.4.0"
except ImportError:
    SKIPPED = "aiodataloader is not installed: pip install aiodataloader==0.4.0"


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
        return await loader.load("salad")

    await asyncio.gather(impatient(), patient())


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    print(f"skipped: {SKIPPED}" if SKIPPED else search())
