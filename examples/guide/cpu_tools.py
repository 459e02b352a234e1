"""Chapter 7, CPU-bound tools: processes, one that dies, one that hangs, and an error that can't be sent."""

import asyncio
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from linecook import Ok, Runtime, run, settle, tool


class BadPage(Exception):
    """An error as libraries define them: it wants two arguments, and pickle will give it one."""

    def __init__(self, page: str, line: int) -> None:
        super().__init__(f"{page}:{line} makes no sense")


def parse(page: str) -> int:
    """Count what a page holds. Some pages are poison."""
    if page == "killer":
        os.kill(os.getpid(), signal.SIGKILL)  # out of memory, or a segmentation fault in C
    if page == "odd":
        raise BadPage(page, 3)
    until = time.monotonic() + (1.5 if page == "endless" else 0.02)
    while time.monotonic() < until:
        pass  # the work
    return len(page)


PAGES = ["soup", "salad", "tea"]
DEADLINE = 0.9


# 1. The way people write it.
async def usual() -> None:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2) as pool:
        counts = await asyncio.gather(*(loop.run_in_executor(pool, parse, page) for page in PAGES))
    print("   counted:", counts)


# 2. What really happens after one bad page: to the next one, which is fine.
async def after(poison: str) -> None:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2) as pool:
        start = time.perf_counter()
        try:
            await asyncio.wait_for(loop.run_in_executor(pool, parse, poison), DEADLINE)
        except (BrokenProcessPool, TimeoutError) as error:
            print(f"   {poison}: {type(error).__name__}", end="; ")
        try:
            print("the next page:", await loop.run_in_executor(pool, parse, "soup"), end="; ")
        except BrokenProcessPool as error:
            print("the next page:", type(error).__name__, end="; ")
    print(f"closed after {time.perf_counter() - start:.1f} s")


async def really() -> None:
    for poison in ("killer", "odd", "endless"):
        await after(poison)


# 3. linecook's line: the process lane.
parse_page = tool(lane="process", attempt_timeout=DEADLINE)(parse)


async def with_linecook() -> None:
    start = time.perf_counter()
    async with Runtime(processes=2):
        pages = ["killer", "odd", "endless", *PAGES]
        for page, outcome in zip(pages, await settle(parse_page(page) for page in pages), strict=True):
            match outcome:
                case Ok(count):
                    print(f"   {page}: {count}")
                case problem:
                    print(f"   {page}: {type(problem).__name__}, {problem.work}: {problem.error}")
    print(f"   closed after {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    print("1. ProcessPoolExecutor")
    asyncio.run(usual())
    print("2. after one bad page")
    asyncio.run(really())
    print("3. linecook")
    run(with_linecook())
