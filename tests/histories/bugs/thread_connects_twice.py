"""A client made on first use, by tools that run on threads: both find none, and one connection is never closed."""

import asyncio


class Client:
    made = 0

    def __init__(self) -> None:
        Client.made += 1


class Tools:
    client: Client | None = None

    def query(self) -> Client:
        if self.client is None:
            self.client = Client()
        return self.client


async def main() -> None:
    Client.made = 0
    tools = Tools()
    await asyncio.gather(asyncio.to_thread(tools.query), asyncio.to_thread(tools.query))
    assert Client.made == 1
