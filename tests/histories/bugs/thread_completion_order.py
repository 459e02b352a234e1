"""Pages are loaded on threads that append to one list; the program takes the list for in order of the addresses."""

import asyncio


def load(url: str, pages: list[str]) -> None:
    pages.append(f"<{url}>")


async def main() -> None:
    urls, pages = ["a.example", "b.example"], list[str]()
    await asyncio.gather(*(asyncio.to_thread(load, url, pages) for url in urls))
    assert dict(zip(urls, pages, strict=True)) == {url: f"<{url}>" for url in urls}
