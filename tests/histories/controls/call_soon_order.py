"""Callbacks run in the order of ``call_soon``: asyncio promises it."""

import asyncio

from linecook.testing import outside


async def main() -> None:
    loop, seen = asyncio.get_running_loop(), list[int]()
    for number in range(4):
        loop.call_soon(seen.append, number)
    await outside("answer")
    await asyncio.sleep(0)
    assert seen == [0, 1, 2, 3]
