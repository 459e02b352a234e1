"""Two long tools on threads; near the end of each a total is read, a function called, and the total written."""

import asyncio


class Usage:
    words = 0


def count(page: str) -> int:
    return len(page.split())


def read(usage: Usage, pages: list[str]) -> None:
    found = 0
    for page in pages:
        found += count(page)
    before = usage.words
    usage.words = before + count(pages[-1])


async def main() -> None:
    usage, pages = Usage(), ["one two"] * 20
    await asyncio.gather(asyncio.to_thread(read, usage, pages), asyncio.to_thread(read, usage, pages))
    assert usage.words == 4
