"""``shield`` keeps the save alive when the handler is cancelled; nobody holds it, and the program ends before it."""

import asyncio

from linecook.testing import outside


async def save(page: str, disk: list[str]) -> None:
    await outside("written")
    disk.append(page)


async def handler(disk: list[str]) -> None:
    page = await outside("page")
    await asyncio.shield(save(page, disk))


async def main() -> None:
    try:
        async with asyncio.timeout(5):
            await handler([])
    except TimeoutError:
        pass
