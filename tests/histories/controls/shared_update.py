"""``Shared.update`` with a plain function: nothing can come between."""

from linecook import Shared, agent, gather, tool
from linecook.testing import outside


@tool(effect="read")
async def ask(prompt: str) -> int:
    return await outside(len(prompt))


@agent
async def worker(spent: Shared[int], prompt: str) -> None:
    tokens = await ask(prompt)
    spent.update(lambda total: total + tokens)


async def main() -> None:
    spent = Shared(0)
    await gather(worker(spent, prompt) for prompt in ("plan", "review", "do"))
    assert spent.value == 12
