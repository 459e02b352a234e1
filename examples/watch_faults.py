"""Eight faults in one ordinary asyncio program, for ``linecook watch examples/watch_faults.py`` to find.

The program doesn't know linecook. It runs to its end, prints what it promises, and exits with 0: no test of its output
would notice anything. Each line at fault ends with ``# fault: KIND``, the kind under which ``watch --json`` names it.
The one thing that isn't real is the slow name server: ``socket.getaddrinfo`` is replaced by a slow one of our own, so
that no network is needed; asyncio runs it where it runs the real one, in the default thread pool.
"""

import asyncio
import gc
import os
import socket
import threading
import time


def parse(page: str) -> int:
    """Work that blocks: harmless in itself, and not on the event loop."""
    time.sleep(0.6)  # fault: stall
    return len(page)


async def stand_still() -> int:
    return parse("<h1>soup</h1>")


async def fetch_many() -> None:
    """More blocking calls than the default pool has threads."""
    count = 3 * min(32, (os.cpu_count() or 1) + 4)
    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.3) for _ in range(count)))  # fault: pool_wait


async def subscribe() -> None:
    await asyncio.get_running_loop().create_future()  # an answer that never comes


async def forget_a_task() -> None:
    asyncio.create_task(subscribe())  # fault: task_lost  # noqa: RUF006
    await asyncio.sleep(0.01)
    gc.collect()  # Python does this by itself now and then


async def pay(amount: int) -> None:
    raise ValueError(f"no such account, {amount} not paid")


async def look_away() -> None:
    paying = asyncio.create_task(pay(100))  # fault: exception_unseen
    await asyncio.wait([paying])


async def save(what: str) -> None:
    print("saved", what)


async def forget_to_await() -> None:
    save("the day")  # fault: never_awaited


def slow_name_server(host: str, port: int, *_: object, **__: object) -> list[object]:
    time.sleep(0.4)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]


async def look_up() -> None:
    await asyncio.get_running_loop().getaddrinfo("api.example", 443)  # fault: dns_slow


def count_up(to: int) -> int:
    total = 0
    for number in range(to):
        total += number * number % 7  # fault: cpu_thread
    return total


async def count_in_a_thread() -> None:
    chunks = [300_000] * 40
    for chunk in chunks:
        await asyncio.to_thread(count_up, chunk)


def listen_for_ever() -> None:
    time.sleep(5)  # fault: thread_stuck


async def main() -> None:
    await stand_still()
    await forget_a_task()
    await look_away()
    await forget_to_await()
    await look_up()
    await count_in_a_thread()
    await fetch_many()
    threading.Thread(target=listen_for_ever, name="listener").start()
    print("all done")


if __name__ == "__main__":
    socket.getaddrinfo = slow_name_server  # type: ignore[assignment]
    asyncio.run(main())
