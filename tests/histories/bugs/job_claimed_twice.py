"""Workers take jobs that have no owner; between looking and owning stands a call to the tracker."""

import asyncio
from dataclasses import dataclass

from linecook.testing import outside


@dataclass
class Job:
    name: str
    owner: str | None = None


async def worker(name: str, jobs: list[Job], done: list[str]) -> None:
    for job in jobs:
        if job.owner is None and await outside(True):  # still open, says the tracker
            job.owner = name
            await outside("worked on it")
            done.append(job.name)


async def main() -> None:
    jobs, done = [Job("mow"), Job("paint")], list[str]()
    await asyncio.gather(worker("a", jobs, done), worker("b", jobs[::-1], done))
    assert sorted(done) == ["mow", "paint"]
