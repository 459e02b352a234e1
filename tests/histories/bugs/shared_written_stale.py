"""A ``Shared`` total read before the tool call and written after it: a write on a stale read, and both are named."""

from linecook import Shared, agent, gather, tool
from linecook.testing import outside


@tool(effect="read")
async def ask(prompt: str) -> int:
    return await outside(len(prompt))


@agent
async def worker(spent: Shared[int], prompt: str, drafts: int) -> None:
    for _ in range(drafts):
        await ask("draft")
    before = spent.value
    tokens = await ask(prompt)
    spent.value = before + tokens


async def main() -> None:
    spent = Shared(0)
    await gather(worker(spent, "plan", 0), worker(spent, "review", 2))
