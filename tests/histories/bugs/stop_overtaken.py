"""The worker looks at the stop flag, then waits for a job; stopping sets the flag and wakes nobody."""

import asyncio

from linecook.testing import outside


class Worker:
    def __init__(self) -> None:
        self.jobs = asyncio.Queue[str]()
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            await self.jobs.get()
            await outside("worked on it")


async def main() -> None:
    worker = Worker()
    worker.jobs.put_nowait("mow")
    running = asyncio.create_task(worker.run())
    await outside("the user presses stop")
    worker.stopping = True
    await running
