"""Edits of two ``Shared`` values nested in opposite orders: each holds one and waits for the other."""

from linecook import Shared, agent, gather, tool
from linecook.testing import outside


@tool(effect="read")
async def ask(question: str) -> str:
    return await outside(f"answer to {question}")


@agent
async def move(source: Shared[int], target: Shared[int], amount: int, thinks: int) -> None:
    for _ in range(thinks):
        await ask("how much?")
    async with source.edit() as taken:
        await ask("may I?")
        async with target.edit() as given:
            taken.value -= amount
            given.value += amount


async def main() -> None:
    giro, savings = Shared(100), Shared(100)
    await gather(move(giro, savings, 10, 0), move(savings, giro, 20, 2))
