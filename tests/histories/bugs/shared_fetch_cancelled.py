"""Agents await one task for one page; the time-out of one cancels the task, and with it the page of the other."""

import asyncio

from linecook.testing import outside


class Pages:
    def __init__(self) -> None:
        self.fetches: dict[str, asyncio.Task[str]] = {}

    async def get(self, url: str) -> str:
        if url not in self.fetches:
            self.fetches[url] = asyncio.create_task(self.fetch(url))
        return await self.fetches[url]

    async def fetch(self, url: str) -> str:
        return await outside(f"<{url}>")


async def hurried(pages: Pages, url: str) -> str | None:
    try:
        async with asyncio.timeout(1):
            return await pages.get(url)
    except TimeoutError:
        return None


async def main() -> None:
    pages = Pages()
    _, page = await asyncio.gather(hurried(pages, "a.example"), pages.get("a.example"), return_exceptions=True)
    assert page == "<a.example>"
