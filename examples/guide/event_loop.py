"""Chapter 1, the event loop: wait for many things at once, and what one blocking call does to all of them."""

import asyncio
import logging
import sys
import time

from linecook import gather, run, tool

CITIES = ["Lyon", "Osaka", "Quito"]


# 1. The way people write it: each agent awaits, and while it waits the loop runs the others.
async def ask(city: str) -> str:
    await asyncio.sleep(0.3)  # an answer from far away
    return f"{city}: 21 °C"


async def usual() -> None:
    start = time.perf_counter()
    await asyncio.gather(*(ask(city) for city in CITIES))
    print(f"   three waits of 0.3 s took {time.perf_counter() - start:.2f} s")


# 2. What really happens when one library in there knows nothing of await.
def old_library(city: str) -> str:
    time.sleep(0.3)  # requests.get, a database driver, open(...).read(): they all wait like this
    return f"{city}: 21 °C"


async def ask_the_old_way(city: str) -> str:
    return old_library(city)  # "async" stands in front, and nothing here awaits


async def bystander(pauses: list[float]) -> None:
    """Wake up every hundredth of a second, as a chat or a heartbeat would, and note how long each nap took."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(0.01)
        pauses.append(time.perf_counter() - start)


async def really() -> None:
    pauses: list[float] = []
    other = asyncio.create_task(bystander(pauses))
    await asyncio.sleep(0.05)
    start = time.perf_counter()
    await asyncio.gather(*(ask_the_old_way(city) for city in CITIES))
    print(f"   three blocking calls took {time.perf_counter() - start:.2f} s")
    await asyncio.sleep(0.05)
    other.cancel()
    print(f"   an agent that asked for 0.01 s of sleep got {max(pauses):.2f} s")


# 3. linecook's line: a plain def that is a tool runs on a thread. And a call that still blocks the loop is named.
fetch = tool(old_library)


async def with_linecook() -> None:
    pauses: list[float] = []
    other = asyncio.create_task(bystander(pauses))
    start = time.perf_counter()
    await gather(fetch(city) for city in CITIES)
    print(f"   the same three calls as tools took {time.perf_counter() - start:.2f} s")
    other.cancel()
    print(f"   the other agent slept {sorted(pauses)[len(pauses) // 2]:.2f} s")
    await ask_the_old_way("Cairo")  # forgotten: this one is still on the loop


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, format="   %(name)s: %(message)s")
    print("1. await")
    asyncio.run(usual())
    print("2. a library that blocks")
    asyncio.run(really())
    print("3. linecook")
    run(with_linecook())
