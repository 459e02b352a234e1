"""A worker skips what another has seen, and skips ``task_done()`` with it: ``join()`` never returns."""

import asyncio

from linecook.testing import outside


async def worker(queue: asyncio.Queue[str], seen: set[str]) -> None:
    while True:
        url = await queue.get()
        if url in seen:
            continue
        await outside(f"<{url}>")
        seen.add(url)
        queue.task_done()


async def main() -> None:
    queue, seen = asyncio.Queue[str](), set[str]()
    for url in ("a.example", "b.example", "b.example"):
        queue.put_nowait(url)
    workers = [asyncio.create_task(worker(queue, seen)) for _ in range(2)]
    await queue.join()
    for one in workers:
        one.cancel()
    await asyncio.wait(workers)
