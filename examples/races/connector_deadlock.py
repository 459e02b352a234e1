"""Requests to one host wait for ever after a time-out, though connections are free: aiohttp up to 3.10.10.

Reported as https://github.com/aio-libs/aiohttp/issues/9670. A connection is given back, and the request that waits
first is told; its own time is up before it goes on, and it doesn't pass the word. The connections are stand-ins; what
decides who gets one is aiohttp's own ``TCPConnector``.
"""

import asyncio
from importlib.metadata import version
from typing import Any

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

try:
    from aiohttp import ClientTimeout, TCPConnector
    from aiohttp.client_reqrep import ConnectionKey

    FOUND = version("aiohttp")
    SKIPPED = "" if FOUND.startswith(("3.9.", "3.10.")) and FOUND != "3.10.11" else (
        f"aiohttp {FOUND} is installed, and this shows 3.10.10"
    )  # fmt: skip
except ImportError:
    SKIPPED = "aiohttp is not installed: pip install aiohttp==3.10.10"


class Wire:
    """What aiohttp asks of a connection's protocol."""

    transport = None
    should_close = False
    _should_close = False

    def is_connected(self) -> bool:
        return True

    def close(self) -> None:
        pass


class Request:
    """What the pool asks of a request."""

    def __init__(self) -> None:
        self.connection_key = ConnectionKey("example.org", 80, False, True, None, None, None)
        self.host = "example.org"


async def main() -> None:
    class StandIn(TCPConnector):
        async def _create_connection(self, *_: Any) -> Any:
            return Wire()

    connector = StandIn(limit=1, enable_cleanup_closed=False)

    async def ask() -> None:
        connection = await connector.connect(Request(), [], ClientTimeout())  # type: ignore[arg-type]
        try:
            await outside("response")
        finally:
            connection.release()

    async def ask_in_time() -> None:
        try:
            async with asyncio.timeout(1):
                await ask()
        except TimeoutError:
            pass

    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        group.create_task(ask_in_time())
        group.create_task(ask())
    await connector.close()


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    print(f"skipped: {SKIPPED}" if SKIPPED else search())
