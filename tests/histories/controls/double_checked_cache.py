"""Looked at without the lock, and again under it: one load, whoever comes first."""

import asyncio

from linecook.testing import outside


class Tools:
    def __init__(self) -> None:
        self.client: str | None = None
        self.connecting = asyncio.Lock()
        self.connected = 0

    async def ask(self, question: str) -> str:
        if self.client is None:
            async with self.connecting:
                if self.client is None:
                    self.client = await outside("client")
                    self.connected += 1
        return await outside(f"answer to {question}")


async def main() -> None:
    tools = Tools()
    await asyncio.gather(tools.ask("who?"), tools.ask("when?"), tools.ask("why?"))
    assert tools.connected == 1
