"""A call that was given up takes the next one out of the cache: async-lru 2.4.0. No report found.

async-lru promises that concurrent calls result in one call of the function. When the only caller gives up, it cancels
the call and forgets it; the next caller starts a new one. But when the cancelled call has ended, it removes the entry
of its key, whoever that belongs to by then: the call after that finds nothing, and the function runs twice at once
(two requests, two bills). A call that was invalidated while it ran, and then fails, does the same.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("2.1.0", "2.2.0", "2.3.0", "2.4.0")
try:
    from async_lru import alru_cache

    FOUND = version("async-lru")
    SKIPPED = "" if FOUND in SEEN_IN else f"async-lru {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "async-lru is not installed: pip install async-lru==2.4.0"


async def main() -> None:
    running = most = 0

    @alru_cache
    async def page(url: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await outside(url)
        finally:
            running -= 1

    async def impatient() -> str:
        try:
            async with asyncio.timeout(1):
                return await page("menu")
        except TimeoutError:
            return await page("menu")  # once more

    async def another() -> str:
        await outside("a question")
        return await page("menu")

    await asyncio.gather(impatient(), another())
    assert most == 1, f"{most} calls for the same page at once"


async def with_real_sleeps() -> int:
    """Return how many calls ran at once on asyncio's own loop."""
    running = most = 0

    @alru_cache
    async def page(url: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(0.2)
            return url
        finally:
            running -= 1

    async def impatient() -> str:
        try:
            async with asyncio.timeout(0.05):
                return await page("menu")
        except TimeoutError:
            return await page("menu")

    async def another() -> str:
        await asyncio.sleep(0.15)
        return await page("menu")

    await asyncio.gather(impatient(), another())
    return most


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    if SKIPPED:
        print(f"skipped: {SKIPPED}")
    else:
        print(search())
        print(f"\non asyncio's own loop, with real sleeps: {asyncio.run(with_real_sleeps())} calls at once")
