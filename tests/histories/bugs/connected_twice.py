"""A client made on first use: both agents find none, both connect, and one connection is nobody's."""

import asyncio

from linecook.testing import outside


class Tools:
    def __init__(self) -> None:
        self.client: str | None = None
        self.connected = 0

    async def ask(self, question: str) -> str:
        if self.client is None:
            self.client = await outside("client")
            self.connected += 1
        return await outside(f"answer to {question}")


async def agent(tools: Tools, thinks: int) -> None:
    for _ in range(thinks):
        await outside("thought")
    await tools.ask("why?")


async def main() -> None:
    tools = Tools()
    await asyncio.gather(agent(tools, 0), agent(tools, 2))
    assert tools.connected == 1
