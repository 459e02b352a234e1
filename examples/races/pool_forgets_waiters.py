"""A query times out, and whoever waits for a connection waits for ever: aiomysql 0.3.2. No report found.

A query that is cancelled closes its connection, as it must: half an answer may still be on its way. But
``Pool.release`` tells the next in line only of connections that are still open. The slot is free, and with
``maxsize`` connections lost to time-outs, or given back inside a transaction, all others hang in ``acquire``, though
the database is well. Reported for asyncmy, which has the same pool, as
https://github.com/long2ice/asyncmy/issues/154 and mended there. The wire is a stand-in; connection and pool are
aiomysql's own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any
from unittest.mock import patch

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("0.2.0", "0.3.0", "0.3.1", "0.3.2")
try:
    import aiomysql

    FOUND = version("aiomysql")
    SKIPPED = "" if FOUND in SEEN_IN else f"aiomysql {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "aiomysql is not installed: pip install aiomysql==0.3.2"

OK = b"\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"  # what MySQL answers to a ping


class Wire:
    """A stream to a database: every answer takes an await."""

    eof_received = False

    def __init__(self, answer: Callable[[], Awaitable[Any]]) -> None:
        self._answer = answer
        self._left = b""
        self.transport = self

    def at_eof(self) -> bool:
        return False

    def exception(self) -> None:
        return None

    async def readexactly(self, count: int) -> bytes:
        if not self._left:
            await self._answer()
            self._left = OK
        part, self._left = self._left[:count], self._left[count:]
        return part

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


async def two_queries(answer: Callable[[], Awaitable[Any]]) -> None:
    """Run two queries on a pool of one connection, one of them with a time-out."""

    async def connect(connection: Any) -> None:
        connection._reader = connection._writer = Wire(answer)

    async def query() -> None:
        async with pool.acquire() as connection:
            await connection.ping(reconnect=False)

    async def query_in_time() -> None:
        try:
            async with asyncio.timeout(0.05):
                await query()
        except TimeoutError:
            pass

    with patch.object(aiomysql.Connection, "_connect", connect):
        pool = aiomysql.Pool(minsize=0, maxsize=1, echo=False, pool_recycle=-1, loop=asyncio.get_running_loop())
        await asyncio.gather(query_in_time(), query())
        pool.close()
        await pool.wait_closed()


async def main() -> None:
    await two_queries(lambda: outside(name="answer"))


async def with_real_sleeps() -> str:
    """Return what became of the second query, on asyncio's own loop."""
    try:
        async with asyncio.timeout(1):
            await two_queries(lambda: asyncio.sleep(0.1))
    except TimeoutError:
        return "the second query waited for a second, and nobody had the connection"
    return "both ended"


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    if SKIPPED:
        print(f"skipped: {SKIPPED}")
    else:
        print(search())
        print(f"\non asyncio's own loop, with real sleeps: {asyncio.run(with_real_sleeps())}")
