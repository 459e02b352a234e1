"""A writer gives up, and the readers behind it aren't let in: aiorwlock 1.5.1. No report found.

Readers that come after a waiting writer wait behind it, so that it has its turn. When the writer's time is up, nothing
stands in their way any more: the lock is held by readers alone. But the writer that leaves only wakes others if nobody
holds the lock, and so they wait until the last of the present readers has gone. If that one waits for them, as here,
nobody ever goes on. sglang's own lock of that kind had the same:
https://github.com/sgl-project/sglang/pull/39984.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("1.5.1",)
try:
    from aiorwlock import RWLock

    FOUND = version("aiorwlock")
    SKIPPED = "" if FOUND in SEEN_IN else f"aiorwlock {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "aiorwlock is not installed: pip install aiorwlock==1.5.1"


async def main() -> None:
    menu, translated = RWLock(), asyncio.Event()

    async def reader() -> None:
        async with menu.reader:
            await translated.wait()

    async def translator() -> None:
        await outside("a dictionary")
        async with menu.reader:
            translated.set()

    async def writer() -> None:
        try:
            async with asyncio.timeout(1):
                async with menu.writer:
                    pass
        except TimeoutError:
            pass

    await asyncio.gather(reader(), writer(), translator())


async def with_real_sleeps() -> str:
    """Return when a reader got in behind a writer that gave up, on asyncio's own loop."""
    menu, times = RWLock(), list[str]()

    async def first_reader() -> None:
        async with menu.reader:
            await asyncio.sleep(0.3)
            times.append("the first reader left")

    async def second_reader() -> None:
        await asyncio.sleep(0.02)
        async with menu.reader:
            times.append("the second reader entered")

    async def writer() -> None:
        try:
            async with asyncio.timeout(0.05):
                async with menu.writer:
                    pass
        except TimeoutError:
            times.append("the writer gave up")

    await asyncio.gather(first_reader(), writer(), second_reader())
    return ", ".join(times)


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    if SKIPPED:
        print(f"skipped: {SKIPPED}")
    else:
        print(search())
        print(f"\non asyncio's own loop, with real sleeps: {asyncio.run(with_real_sleeps())}")
