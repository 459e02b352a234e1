"""Chapter 4, race conditions: read, await, write."""

import asyncio
import random
from contextlib import nullcontext

from linecook import gather, run, tool


# 1. The way people write it: two agents count to a thousand in the same counter.
class Counter:
    value = 0


async def count(
    counter: Counter, upto: int, nap: float = 0, rest: float = -1, lock: asyncio.Lock | None = None
) -> None:
    for _ in range(upto):
        async with lock or nullcontext():
            seen = counter.value  # read
            await asyncio.sleep(nap * random.random())  # await: the other agent runs here
            counter.value = seen + 1  # write
        if rest >= 0:
            await asyncio.sleep(rest * random.random())


async def two(upto: int, nap: float = 0, rest: float = -1, lock: asyncio.Lock | None = None) -> int:
    counter = Counter()
    await asyncio.gather(*(count(counter, upto, nap, rest, lock) for _ in range(2)))
    return counter.value


# 2. What really happens: not "sometimes".
async def really() -> None:
    print(f"   2 × 1000, five times: {[await two(1000) for _ in range(5)]}")
    print(f"   2 × 100, waits of random length in between: {await two(100, nap=0.003)}")
    print(f"   2 × 100, and a rest of random length after each: {await two(100, nap=0.003, rest=0.003)}")
    print(f"   2 × 1000 with no await between read and write: {await apart()}")
    print(f"   2 × 1000 with a lock: {await two(1000, lock=asyncio.Lock())}")
    print(f"   two locks, taken in two orders: {await crossed()}")


async def apart() -> int:
    counter = Counter()

    async def count() -> None:
        for _ in range(1000):
            counter.value += 1
            await asyncio.sleep(0)

    await asyncio.gather(count(), count())
    return counter.value


async def crossed() -> str:
    async def take(first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    a, b = asyncio.Lock(), asyncio.Lock()
    both = [asyncio.create_task(take(a, b)), asyncio.create_task(take(b, a))]
    done, stuck = await asyncio.wait(both, timeout=0.2)
    for task in stuck:
        task.cancel()
    return f"{len(done)} done, {len(stuck)} wait for each other for ever"


# 3. What linecook can do about it today: share nothing. Each call returns its part, one place adds them up.
@tool
async def part(upto: int) -> int:
    mine = 0
    for _ in range(upto):
        seen = mine
        await asyncio.sleep(0)
        mine = seen + 1  # the same three steps, and nobody else can reach it
    return mine


async def with_linecook() -> None:
    print(f"   two parts, returned and added: {sum(await gather(part(1000), part(1000)))}")


if __name__ == "__main__":
    print("1. a counter for two")
    print(f"   2 × 1000 makes {asyncio.run(two(1000))}")
    print("2. the same again, and other ways")
    asyncio.run(really())
    print("3. linecook")
    run(with_linecook())
