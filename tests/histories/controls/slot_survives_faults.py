"""Slots under faults: a call may fail, hang or be late, a cancel may hit any await; the slot is free at the end."""

import asyncio

from linecook.testing import outside


async def fetch(slots: asyncio.Semaphore, url: str) -> str | None:
    try:
        async with asyncio.timeout(5), slots:
            return await outside(f"<{url}>")
    except TimeoutError:
        return None


async def main() -> None:
    slots = asyncio.Semaphore(1)
    try:
        async with asyncio.TaskGroup() as group:
            for url in ("a.example", "b.example"):
                group.create_task(fetch(slots, url))
    finally:
        assert not slots.locked()
