"""A reader has the old page on its way into the cache while the writer changes it and clears the cache."""

import asyncio

from linecook.testing import outside


async def read(database: dict[str, str], cache: dict[str, str], key: str) -> str:
    if key not in cache:
        page = database[key]
        await outside("on the wire")
        cache[key] = page
    return cache[key]


async def write(database: dict[str, str], cache: dict[str, str], key: str, page: str) -> None:
    await outside("the author saves")
    database[key] = page
    cache.pop(key, None)


async def main() -> None:
    database, cache = {"rates": "old"}, dict[str, str]()
    await asyncio.gather(read(database, cache, "rates"), write(database, cache, "rates", "new"))
    assert await read(database, cache, "rates") == "new"
