"""Chapter 6, thread pools: the bridge from sync to async, and who waits on it."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from linecook import Runtime, TimedOut, run, settle, tool

DEADLINE = 0.5
PAGES = [f"page {n}" for n in range(100)]
WITH_HUNG = [f"hung page {n}" for n in range(10)] + PAGES[10:]


def read(page: str) -> str:
    """Stand for a blocking read of 0.02 s; a hung page takes for ever (here: 1.5 s)."""
    time.sleep(1.5 if page.startswith("hung") else 0.02)
    return page.upper()


# 1. The way people write it: a pool of ten, and run_in_executor for each page.
async def usual() -> None:
    start = time.perf_counter()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(10) as pool:
        texts = await asyncio.gather(*(loop.run_in_executor(pool, read, page) for page in PAGES))
    print(f"   {len(texts)} pages of 0.02 s in {time.perf_counter() - start:.1f} s")


# 2. What really happens when ten pages of the hundred hang.
async def in_time(pool: ThreadPoolExecutor, page: str) -> str | None:
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(pool, read, page), DEADLINE)
    except TimeoutError:
        return None


async def really() -> None:
    start = time.perf_counter()
    with ThreadPoolExecutor(10) as pool:
        texts = await asyncio.gather(*(in_time(pool, page) for page in WITH_HUNG))
        print(f"   {len(texts) - texts.count(None)} of 90 healthy pages after {time.perf_counter() - start:.1f} s")
    print(f"   the pool was closed after {time.perf_counter() - start:.1f} s, when the last hung page had ended")


# 3. linecook's line: the thread lane, here with the same ten threads to begin with.
read_page = tool(timeout=DEADLINE)(read)


async def with_linecook() -> float:
    async with Runtime(threads=10) as runtime:
        start = time.perf_counter()
        outcomes = await settle(read_page(page) for page in WITH_HUNG)
        print(f"   {len(outcomes.results)} of 90 healthy pages after {time.perf_counter() - start:.1f} s")
        late = [outcome for outcome in outcomes if isinstance(outcome, TimedOut)]
        print(f"   {len(late)} hung ones: {late[0].error}")
        lane = runtime.statistics()["thread"]
        print(f"   the lane: {lane['threads_allowed']} threads allowed, {lane['abandoned']} abandoned")
    return start


if __name__ == "__main__":
    print("1. ThreadPoolExecutor(10)")
    asyncio.run(usual())
    print("2. when ten pages hang")
    asyncio.run(really())
    print("3. linecook")
    start = run(with_linecook())
    print(f"   everything was closed after {time.perf_counter() - start:.1f} s")
