"""One fetch for all who ask; it is a task of its own, shielded from whoever gives up, and forgotten when it fails."""

import asyncio

from linecook.testing import outside


class Pages:
    def __init__(self) -> None:
        self.fetched = 0
        self.fetches: dict[str, asyncio.Task[str]] = {}

    async def get(self, url: str) -> str:
        task = self.fetches.get(url)
        if task is None:
            task = self.fetches[url] = asyncio.create_task(self.fetch(url))
            task.add_done_callback(lambda ended: self.forget(url, ended))
        return await asyncio.shield(task)

    def forget(self, url: str, ended: asyncio.Task[str]) -> None:
        if ended.cancelled() or ended.exception():
            del self.fetches[url]

    async def fetch(self, url: str) -> str:
        page = await outside(f"<{url}>")
        self.fetched += 1
        return page


async def hurried(pages: Pages, url: str) -> str | None:
    try:
        async with asyncio.timeout(1):
            return await pages.get(url)
    except TimeoutError:
        return None


async def main() -> None:
    pages = Pages()
    answers = await asyncio.gather(hurried(pages, "a.example"), pages.get("a.example"), pages.get("a.example"))
    assert list(answers[1:]) == ["<a.example>"] * 2
    assert pages.fetched == 1
