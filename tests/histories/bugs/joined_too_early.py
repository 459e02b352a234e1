"""``queue.join()`` means "all that was put is done", not "nobody will put any more": a late producer is cut off."""

import asyncio

from linecook.testing import outside


async def produce(queue: asyncio.Queue[str], url: str) -> None:
    queue.put_nowait(await outside(f"<{url}>"))


async def index(queue: asyncio.Queue[str], indexed: list[str]) -> None:
    while True:
        page = await queue.get()
        await outside("stored")
        indexed.append(page)
        queue.task_done()


async def main() -> None:
    queue, indexed = asyncio.Queue[str](), list[str]()
    producers = [asyncio.create_task(produce(queue, url)) for url in ("a.example", "b.example")]
    indexer = asyncio.create_task(index(queue, indexed))
    await producers[0]
    await queue.join()
    indexer.cancel()
    await asyncio.wait({*producers, indexer})
    assert len(indexed) == 2
