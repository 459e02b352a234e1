"""To wait for a queued job with a time-out starts the job, beyond the limit: aiojobs 1.4.0.

Reported as https://github.com/aio-libs/aiojobs/issues/67, open at the time of writing. ``job.wait(timeout=...)``
should raise ``TimeoutError`` and close the job. For a job that still queues it waits for a future that says
"started"; the time-out cancels that future, and closing, which sets it, ends with ``InvalidStateError`` halfway:
after the job was started, and before it is cancelled. It runs beside those that are within the limit.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("1.4.0",)
try:
    from aiojobs import Scheduler

    FOUND = version("aiojobs")
    SKIPPED = "" if FOUND in SEEN_IN else f"aiojobs {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "aiojobs is not installed: pip install aiojobs==1.4.0"


async def main() -> None:
    async def work() -> None:
        await outside("answer")

    async def agent(patience: float | None = None) -> None:
        job = await scheduler.spawn(work())
        try:
            await job.wait(timeout=patience)
        except TimeoutError:
            pass

    scheduler = Scheduler(limit=1)
    await asyncio.gather(agent(), agent(patience=1))
    await scheduler.close()


async def with_real_sleeps() -> tuple[str, int]:
    """Return what ``wait`` raised and how many jobs ran at once, with a limit of 1, on asyncio's own loop."""
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
    await scheduler.spawn(work())
    queued = await scheduler.spawn(work())
    (raised,) = await asyncio.gather(queued.wait(timeout=0.05), return_exceptions=True)
    await asyncio.sleep(0.05)
    await scheduler.close()
    return type(raised).__name__, most


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    if SKIPPED:
        print(f"skipped: {SKIPPED}")
    else:
        print(search())
        print(f"\non asyncio's own loop, with real sleeps: {asyncio.run(with_real_sleeps())}")
