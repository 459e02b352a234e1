"""Chapter 2, concurrency is not parallelism: waits overlap, work doesn't."""

import asyncio
import os
import time
from collections.abc import Generator
from contextlib import contextmanager

from linecook import Runtime, gather, run, tool

N = 120_000


@contextmanager
def measured(what: str) -> Generator[list[float]]:
    """Print how long the block took, and how many CPUs it kept busy; what other processes used, it adds to the list."""
    elsewhere: list[float] = []
    wall, cpu = time.perf_counter(), time.process_time()
    yield elsewhere
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu + sum(elsewhere)
    print(f"   {what}: {wall:.2f} s, {cpu / wall:.1f} CPUs busy")


# 1. The way people write it: two waits in the time of one.
async def wait() -> None:
    await asyncio.sleep(0.3)


async def usual() -> None:
    with measured("one wait"):
        await wait()
    with measured("two waits"):
        await asyncio.gather(wait(), wait())


# 2. What really happens when the agents compute: await hands nobody a second CPU, and neither do threads.
def primes(below: int) -> int:
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, below))


async def compute(below: int) -> int:
    return primes(below)


async def really() -> None:
    with measured("one count"):
        await compute(N)
    with measured("two counts with async def"):
        await asyncio.gather(compute(N), compute(N))
    with measured("two counts on two threads"):
        await asyncio.gather(asyncio.to_thread(primes, N), asyncio.to_thread(primes, N))


# 3. linecook's line: the process lane. And its report says which tool would gain there.
on_a_thread = tool(primes)


@tool(lane="process")
def in_a_process(below: int) -> tuple[int, float, int]:
    start = time.process_time()
    return primes(below), time.process_time() - start, os.getpid()


async def with_linecook() -> None:
    async with Runtime(processes=2) as runtime:
        await gather(in_a_process(10), in_a_process(10))  # two workers start, which takes a moment
        with measured("two counts in two processes") as elsewhere:
            counted = await gather(in_a_process(N), in_a_process(N))
            elsewhere += [cpu for _, cpu, _ in counted]
        print(f"   processes besides this one: {len({process for *_, process in counted} - {os.getpid()})}")
        await gather((on_a_thread(N // 2) for _ in range(8)), limit=2)  # the same on threads, for the report
        for advice in runtime.report().advice:
            print(f"   {advice}")


if __name__ == "__main__":
    print("1. two waits")
    asyncio.run(usual())
    print("2. two computations")
    asyncio.run(really())
    print("3. linecook")
    run(with_linecook())
