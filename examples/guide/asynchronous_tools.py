"""Chapter 3, asynchronous tools: blocking libraries inside async agents, and the one pool that they all share."""

import asyncio
import threading
import time

from linecook import TimedOut, run, settle, tool

DEADLINE = 0.4
CITIES = [f"city {n}" for n in range(200)]
threads: set[str] = set()


def fetch(city: str) -> str:
    """Stand for requests.get: it blocks, for 0.01 s as a rule. A silent server never answers (here: for 1.2 s)."""
    time.sleep(1.2 if city.startswith("silent") else 0.01)
    return f"{city}: 21 °C"


# 1. The way people write it: to_thread for every call.
def noted(city: str) -> str:
    threads.add(threading.current_thread().name)
    return fetch(city)


async def usual() -> None:
    answers = await asyncio.gather(*(asyncio.to_thread(noted, city) for city in CITIES))
    print(f"   {len(answers)} answers, on {len(threads)} threads")


def silent_ones() -> list[str]:
    return [f"silent {n}" for n in range(len(threads))]


# 2. What really happens: one pool, of min(32, CPUs + 4) threads, for everything in the process.
async def in_time(city: str) -> str | None:
    try:
        return await asyncio.wait_for(asyncio.to_thread(fetch, city), DEADLINE)
    except TimeoutError:
        return None


async def really() -> None:
    answers = await asyncio.gather(*map(in_time, silent_ones()))
    print(f"   {answers.count(None)} silent servers, one for each of those threads, were given up in time")
    answers = await asyncio.gather(*map(in_time, CITIES))
    print(f"   then {len(CITIES) - answers.count(None)} of 200 healthy calls were answered")
    print(f"   and a name look-up took {await look_up():.1f} s")


async def look_up() -> float:
    """Ask for the address of this machine, as every HTTP client does before it connects; return the seconds it took."""
    start = time.perf_counter()
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    return time.perf_counter() - start


# 3. linecook's line: the same function, as a tool with a deadline.
ask = tool(timeout=DEADLINE)(fetch)


async def with_linecook() -> None:
    outcomes = await settle(ask(city) for city in silent_ones() + CITIES)
    late = [outcome for outcome in outcomes if isinstance(outcome, TimedOut)]
    print(f"   {len(outcomes.results)} of 200 healthy calls were answered")
    print(f"   {len(late)} silent ones were given up; what became of the threads: {late[0].work}")
    print(f"   a name look-up took {await look_up():.1f} s")


if __name__ == "__main__":
    print("1. asyncio.to_thread")
    asyncio.run(usual())
    print("2. when some servers don't answer")
    asyncio.run(really())
    print("3. linecook")
    run(with_linecook())
