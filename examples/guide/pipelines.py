"""Chapter 8, pipelines: many items through several stages, with bounds, and with what is done kept."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from linecook import pipeline, run

ITEMS = 2000
BAD = 1500  # a page that can't be parsed


class House:
    """What is in the house at once."""

    def __init__(self) -> None:
        self.read = self.held = self.most_held = 0
        self.at_first = ""

    def numbers(self, items: int) -> Iterator[int]:
        for self.read in range(1, items + 1):
            yield self.read

    def fetched(self) -> None:
        self.held += 1
        self.most_held = max(self.most_held, self.held)

    def parsed(self) -> None:
        self.held -= 1
        self.at_first = self.at_first or f"{self.read} inputs read, {len(asyncio.all_tasks()) - 1} tasks"

    def report(self, kept: int) -> None:
        print(f"   when the first page was done: {self.at_first}")
        print(f"   at most {self.most_held} pages fetched and not parsed; results kept: {kept}")


async def fetch(number: int) -> str:
    await asyncio.sleep(0.002)
    return f"page {number}"


def parse(page: str) -> int:
    time.sleep(0.001)
    if page == f"page {BAD}":
        raise ValueError(f"{page} makes no sense")
    return len(page)


# 1. The way people write it: one coroutine through all the stages, a pool, a timeout, a semaphore, and gather.
async def one(house: House, pool: ThreadPoolExecutor, number: int, places: asyncio.Semaphore) -> int:
    async with places:
        page = await asyncio.wait_for(fetch(number), 5)
        house.fetched()
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, parse, page)
        finally:
            house.parsed()


# 2. What really happens: the same program, with counts. A page that is bad tells the most.
async def by_hand(pool: ThreadPoolExecutor, items: int, at_once: int) -> None:
    house, lengths, places = House(), list[int](), asyncio.Semaphore(at_once)
    try:
        lengths = await asyncio.gather(*(one(house, pool, number, places) for number in house.numbers(items)))
    except ValueError as error:
        print(f"   gather raised: {error}")
    house.report(len(lengths))


# 3. linecook: stages in a row, each with its lane, its workers and a bounded buffer; what fails is set aside.
async def with_linecook() -> None:
    house, kept = House(), 0

    async def fetch_page(number: int) -> str:
        house.read = max(house.read, number)
        page = await fetch(number)
        house.fetched()
        return page

    pages = pipeline(range(1, ITEMS + 1)).map(fetch_page, workers=32).map(parse, workers=8, on_error="skip")
    async with pages as lengths:
        async for _length in lengths:
            house.parsed()
            kept += 1
    for letter in pages.dead_letters:
        print(f"   set aside in {letter.stage}: {letter.value!r}, since {letter.error}")
    house.report(kept)


if __name__ == "__main__":
    with ThreadPoolExecutor(8) as pool:
        print("1. a hundred pages")
        asyncio.run(by_hand(pool, 100, at_once=100))
        print("2. two thousand pages, one of them bad; then the same with 64 at once")
        asyncio.run(by_hand(pool, ITEMS, at_once=ITEMS))
        asyncio.run(by_hand(pool, ITEMS, at_once=64))
    print("3. linecook")
    run(with_linecook())
