"""A flag marks the model as busy; a cancel at the call leaves it set, and everybody polls for ever after."""

import asyncio

from linecook.testing import outside


class Model:
    def __init__(self) -> None:
        self.idle = asyncio.Event()
        self.idle.set()

    async def ask(self, question: str) -> str:
        while not self.idle.is_set():
            await self.idle.wait()
        self.idle.clear()
        answer = await outside(f"answer to {question}")
        self.idle.set()
        return answer


async def main() -> None:
    model = Model()
    await asyncio.gather(model.ask("who?"), model.ask("when?"), return_exceptions=True)
