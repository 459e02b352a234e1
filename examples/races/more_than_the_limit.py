"""A job that is closed while it queues lets another begin, beyond the limit: aiojobs 1.4.0. No report found.

``Scheduler(limit=1)`` runs one job at a time, and the others queue. A job that is closed while it queues is counted
out of the jobs but stays in the queue. So for a moment the scheduler counts one job too few that run, takes a slot to
be free, and starts the job at the head of the queue beside the one that runs.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("1.3.0", "1.4.0")
try:
    from aiojobs import Scheduler

    FOUND = version("aiojobs")
    SKIPPED = "" if FOUND in SEEN_IN else f"aiojobs {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "aiojobs is not installed: pip install aiojobs==1.4.0"


async def main() -> None:
    running = most = 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await outside("answer")
        finally:
            running -= 1

    async def agent() -> None:
        job = await scheduler.spawn(work())
        await job.wait()

    async def agent_who_is_told_to_stop() -> None:
        job = await scheduler.spawn(work())
        await outside("stop")
        await job.close()

    scheduler = Scheduler(limit=1)
    await asyncio.gather(agent(), agent(), agent_who_is_told_to_stop())
    await scheduler.close()
    assert most == 1, f"{most} jobs at once, and the limit is 1"


async def with_real_sleeps() -> int:
    """Return how many jobs ran at once, with a limit of 1, on asyncio's own loop."""
    running = most = 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(0.2)
        finally:
            running -= 1

    scheduler = Scheduler(limit=1)
    jobs = [await scheduler.spawn(work()) for _ in range(3)]
    await asyncio.sleep(0.05)
    await jobs[2].close()
    await scheduler.wait_and_close()
    return most


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    if SKIPPED:
        print(f"skipped: {SKIPPED}")
    else:
        print(search())
        print(f"\non asyncio's own loop, with real sleeps: {asyncio.run(with_real_sleeps())} jobs at once, limit 1")
