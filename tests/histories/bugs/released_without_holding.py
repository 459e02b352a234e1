"""``finally: lock.release()`` around a ``wait_for(lock.acquire())``: who timed out opens somebody else's lock."""

import asyncio

from linecook.testing import outside


async def edit(lock: asyncio.Lock, editing: list[str], name: str) -> None:
    try:
        await asyncio.wait_for(lock.acquire(), 1)
        editing.append(name)
        await outside("edited")
        editing.remove(name)
    except TimeoutError:
        pass
    finally:
        if lock.locked():
            lock.release()


async def late(lock: asyncio.Lock, editing: list[str]) -> None:
    await outside("arrives")
    async with lock:
        assert not editing, f"{editing} is editing too"


async def main() -> None:
    lock, editing = asyncio.Lock(), list[str]()
    await asyncio.gather(edit(lock, editing, "a"), edit(lock, editing, "b"), late(lock, editing))
