"""A stale cache fill among six agents who ask for other things: most orders have nothing to do with it."""

import asyncio

from linecook.testing import outside


async def read(database: dict[str, str], cache: dict[str, str], key: str) -> None:
    await outside("asked")
    if key not in cache:
        page = database[key]
        await outside("on the wire")
        cache[key] = page


async def write(database: dict[str, str], cache: dict[str, str]) -> None:
    for _ in range(5):
        await outside("the author types")
    database["rates"] = "new"
    cache.pop("rates", None)


async def other(cache: dict[str, str], name: str) -> None:
    for number in range(4):
        cache[f"{name} {number}"] = await outside("page")


async def main() -> None:
    database, cache = {"rates": "old"}, dict[str, str]()
    others = (other(cache, name) for name in "abcdef")
    await asyncio.gather(read(database, cache, "rates"), *others, write(database, cache))
    assert cache.get("rates", "new") == "new"
