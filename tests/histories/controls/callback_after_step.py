"""A task made first has run its first step before a callback that was posted after it."""

import asyncio

from linecook.testing import outside


class Server:
    started = False

    async def serve(self) -> None:
        self.started = True
        await outside("a request")


async def main() -> None:
    server, seen = Server(), list[bool]()
    serving = asyncio.create_task(server.serve())
    asyncio.get_running_loop().call_soon(lambda: seen.append(server.started))
    await asyncio.sleep(0)
    await serving
    assert seen == [True]
