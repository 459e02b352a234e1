"""Crawlers put the links they find into the bounded queue they take from: all of them put, nobody takes."""

import asyncio

from linecook.testing import outside

LINKS = {"a.example": ["a.example/1", "a.example/2"], "b.example": ["b.example/1"]}


async def crawler(frontier: asyncio.Queue[str]) -> None:
    while True:
        page = await frontier.get()
        await outside(f"<{page}>")
        for link in LINKS.get(page, []):
            await frontier.put(link)
        frontier.task_done()


async def main() -> None:
    frontier = asyncio.Queue[str](maxsize=1)
    crawlers = [asyncio.create_task(crawler(frontier)) for _ in range(2)]
    for url in ("b.example", "a.example"):
        await frontier.put(url)
    await frontier.join()
    for one in crawlers:
        one.cancel()
    await asyncio.wait(crawlers)
