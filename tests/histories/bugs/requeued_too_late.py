"""Twelve pages through three workers; a page that comes back "too busy" is queued again, behind the end marks."""

import asyncio

from linecook.testing import outside


class Site:
    """Refuses the second of two requests for the same shelf at a time."""

    def __init__(self) -> None:
        self.busy: set[int] = set()

    async def fetch(self, page: int) -> bool:
        shelf = page % 4
        if shelf in self.busy:
            return False
        self.busy.add(shelf)
        await outside(page)
        self.busy.discard(shelf)
        return True


async def worker(site: Site, pages: asyncio.Queue[int | None], fetched: list[int]) -> None:
    while (page := await pages.get()) is not None:
        if await site.fetch(page):
            fetched.append(page)
        else:
            pages.put_nowait(page)


async def main() -> None:
    site, pages, fetched = Site(), asyncio.Queue[int | None](), list[int]()
    for page in range(12):
        pages.put_nowait(page)
    workers = [asyncio.create_task(worker(site, pages, fetched)) for _ in range(3)]
    for _ in workers:
        pages.put_nowait(None)
    await asyncio.gather(*workers)
    assert sorted(fetched) == list(range(12))
