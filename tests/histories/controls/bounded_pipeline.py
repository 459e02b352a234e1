"""Producer, bounded queue, two workers, an end mark for each of them; every page is stored once."""

import asyncio

from linecook.testing import outside


async def produce(queue: asyncio.Queue[str | None], urls: list[str], workers: int) -> None:
    for url in urls:
        await queue.put(url)
    for _ in range(workers):
        await queue.put(None)


async def work(queue: asyncio.Queue[str | None], stored: list[str]) -> None:
    while (url := await queue.get()) is not None:
        stored.append(await outside(f"<{url}>"))


async def main() -> None:
    queue, stored = asyncio.Queue[str | None](maxsize=1), list[str]()
    await asyncio.gather(produce(queue, ["a", "b", "c"], workers=2), *(work(queue, stored) for _ in range(2)))
    assert sorted(stored) == ["<a>", "<b>", "<c>"]
