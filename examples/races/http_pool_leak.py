"""A request that is given up while it waits for a connection takes the connection with it: httpcore 1.0.9.

Reported as https://github.com/encode/httpcore/issues/1093, open at the time of writing; httpcore is what httpx and,
with it, most clients of language models send their requests with. The pool gives a queued request a new connection,
and before that request goes on its time is up: the connection, never opened, is neither idle nor closed, and keeps
its slot for ever. The network is a stand-in here; the pool is httpcore's own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("1.0.7", "1.0.8", "1.0.9")
try:
    import httpcore

    FOUND = version("httpcore")
    SKIPPED = "" if FOUND in SEEN_IN else f"httpcore {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "httpcore is not installed: pip install 'httpcore[asyncio]==1.0.9'"


@asynccontextmanager
async def pool_of_one() -> "AsyncIterator[httpcore.AsyncConnectionPool]":
    class Wire(httpcore.AsyncNetworkStream):
        async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return await outside(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", name="response")

        async def write(self, buffer: bytes, timeout: float | None = None) -> None:
            pass

        async def aclose(self) -> None:
            pass

        def get_extra_info(self, info: str) -> Any:
            return None

    class Network(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
            return Wire()

    async with httpcore.AsyncConnectionPool(max_connections=1, network_backend=Network()) as pool:
        yield pool


async def main() -> None:
    async with pool_of_one() as pool:

        async def ask() -> int:
            headers = {"Connection": "close"}
            return (await pool.request("GET", "http://example.org/", headers=headers)).status

        async def ask_in_time() -> int | None:
            try:
                async with asyncio.timeout(1):
                    return await ask()
            except TimeoutError:
                return None

        await asyncio.gather(ask(), ask_in_time())
        await ask()  # nobody uses the pool any more


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    print(f"skipped: {SKIPPED}" if SKIPPED else search())
