"""Calls under way are counted by hand; a call that raises is never counted out, and the last one waits for ever."""

import asyncio

from linecook.testing import outside


class Gate:
    def __init__(self, places: int) -> None:
        self.places = places
        self.changed = asyncio.Condition()

    async def call(self, question: str) -> str:
        async with self.changed:
            await self.changed.wait_for(lambda: self.places > 0)
            self.places -= 1
        answer = await outside(f"answer to {question}")
        async with self.changed:
            self.places += 1
            self.changed.notify()
        return answer


async def main() -> None:
    gate = Gate(1)
    await asyncio.gather(gate.call("who?"), gate.call("when?"), return_exceptions=True)
