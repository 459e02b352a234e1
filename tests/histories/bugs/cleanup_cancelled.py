"""The session says goodbye in its ``finally``; the outer time-out cancels that too, and the connection stays open."""

import asyncio

from linecook.testing import outside


async def session(connections: set[str]) -> None:
    connections.add("db")
    try:
        await outside("rows")
    finally:
        await outside("goodbye")
        connections.discard("db")


async def main() -> None:
    connections = set[str]()
    try:
        async with asyncio.timeout(10):
            try:
                async with asyncio.timeout(5):
                    await session(connections)
            except TimeoutError:
                pass
    except TimeoutError:
        pass
    assert not connections
