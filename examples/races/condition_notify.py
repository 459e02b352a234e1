"""A worker is notified and cancelled in the same turn, and the notification is lost: CPython before 3.13.

Reported as https://github.com/python/cpython/issues/112202. Two workers share a queue guarded by
``asyncio.Condition``; the first gives up when its own deadline comes. ``notify(1)`` chose that one, which is
cancelled before it goes on: the other was not told, and sleeps although there is work.
"""

import asyncio
import sys

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SKIPPED = "mended in Python 3.13" if sys.version_info >= (3, 13) else ""


async def main() -> None:
    arrived, work = asyncio.Condition(), list[str]()

    async def worker() -> str:
        async with arrived:
            while not work:
                await arrived.wait()
            return work.pop()

    async def in_time() -> str | None:
        try:
            async with asyncio.timeout(1):
                return await worker()
        except TimeoutError:
            return None

    async def producer() -> None:
        job = await outside("job")
        async with arrived:
            work.append(job)
            arrived.notify(1)

    async with asyncio.TaskGroup() as group:
        first, second = group.create_task(in_time()), group.create_task(worker())
        group.create_task(producer())
        if await first:
            second.cancel()


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    print(f"skipped: {SKIPPED}" if SKIPPED else search())
