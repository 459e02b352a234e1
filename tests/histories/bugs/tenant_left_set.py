"""Workers set the tenant of a job and never reset it: the next job without one is billed to its predecessor's."""

import asyncio
from contextvars import ContextVar

from linecook.testing import outside

tenant = ContextVar("tenant", default="house")


async def worker(jobs: asyncio.Queue[str | None], bills: list[str]) -> None:
    while not jobs.empty():
        customer = jobs.get_nowait()
        if customer is not None:
            tenant.set(customer)
        await outside("answer")
        bills.append(tenant.get())


async def main() -> None:
    jobs, bills = asyncio.Queue[str | None](), list[str]()
    for customer in (None, "acme", None):
        jobs.put_nowait(customer)
    await asyncio.gather(worker(jobs, bills), worker(jobs, bills))
    assert sorted(bills) == ["acme", "house", "house"]
