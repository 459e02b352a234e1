"""Chapter 4, race conditions: read, await, write."""

import asyncio
import random
from contextlib import nullcontext

from linecook import Shared, gather, run, tool
from linecook.errors import LostUpdate
from linecook.testing import explore


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


# 3. linecook: what agents change together stands in a Shared. update() is one step, with nothing in between.
async def count_shared(counter: Shared[int], upto: int) -> None:
    for _ in range(upto):
        counter.update(lambda seen: seen + 1)
        await asyncio.sleep(0)


async def count_by_hand(counter: Shared[int], upto: int) -> None:
    for _ in range(upto):
        seen = counter.value  # read
        await asyncio.sleep(0)  # await
        counter.value = seen + 1  # write: refused


async def with_linecook() -> None:
    counter = Shared(0)
    await gather(count_shared(counter, 1000), count_shared(counter, 1000))
    print(f"   update: {counter.value}")
    strict = Shared(0, lost_update="raise")
    try:
        await gather(count_by_hand(strict, 1000), count_by_hand(strict, 1000))
    except LostUpdate as lost:
        print(f"   by hand: {lost}")
    print(f"   parts, returned and added: {sum(await gather(part(1000), part(1000)))}")


@tool
async def part(upto: int) -> int:  # share nothing: nobody else can reach mine
    mine = 0
    for _ in range(upto):
        seen = mine
        await asyncio.sleep(0)
        mine = seen + 1
    return mine


async def two_with_a_lock() -> None:
    assert await two(2, nap=1, lock=asyncio.Lock()) == 4


async def two_without() -> None:
    assert (counted := await two(2, nap=1)) == 4, f"{counted} of 4"


if __name__ == "__main__":
    print("1. a counter for two")
    print(f"   2 × 1000 makes {asyncio.run(two(1000))}")
    print("2. the same again, and other ways")
    asyncio.run(really())
    print("3. linecook")
    run(with_linecook())
    searched = explore(two_with_a_lock)
    print(f"   with the lock, every order there is: {searched.exhausted}; a failure: {searched.failure is not None}")
    failure = explore(two_without).failure
    print(f"   without: {failure.message if failure else 'none found'}")
