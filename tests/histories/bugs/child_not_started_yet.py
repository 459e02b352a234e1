"""The server is taken to be up after one ``sleep(0)``: true on a stock loop, where a new task runs next.

It isn't promised: one more await on the way, and it isn't up.
"""

import asyncio


class Server:
    started = False

    async def serve(self) -> None:
        self.started = True


async def main() -> None:
    server = Server()
    serving = asyncio.create_task(server.serve())
    await asyncio.sleep(0)
    assert server.started
    await serving
