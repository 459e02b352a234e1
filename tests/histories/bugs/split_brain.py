"""Three nodes elect a leader: who hears nothing for its time-out asks for votes; a vote isn't bound to a term."""

import asyncio

from linecook.testing import outside


class Node:
    def __init__(self, number: int) -> None:
        self.number = number
        self.voted_for: int | None = None
        self.leads = False

    async def vote(self, candidate: int) -> bool:
        await outside("request")
        if self.voted_for is not None:
            return False
        await outside("written to disk")
        self.voted_for = candidate
        return True

    async def campaign(self, others: list["Node"], patience: float) -> None:
        await asyncio.sleep(patience)
        if self.voted_for is not None:
            return
        self.voted_for = self.number
        votes = await asyncio.gather(*(other.vote(self.number) for other in others))
        self.leads = any(votes)


async def main() -> None:
    nodes = [Node(number) for number in range(3)]
    await asyncio.gather(
        *(node.campaign([other for other in nodes if other is not node], 1 + node.number) for node in nodes)
    )
    assert sum(node.leads for node in nodes) <= 1
