"""Notes in a ``SharedMap``: an agent reads a topic, has the model extend it, and stores what it made of the old one."""

from linecook import SharedMap, agent, gather, tool
from linecook.testing import outside


@tool(effect="read")
async def extend(notes: str, by: str) -> str:
    return await outside(notes + by)


@agent
async def author(notes: SharedMap[str, str], sentence: str, thinks: int) -> None:
    for _ in range(thinks):
        await extend("", "")
    page = notes["rates"]
    notes["rates"] = await extend(page, sentence)


async def main() -> None:
    notes = SharedMap[str, str]({"rates": ""})
    await gather(author(notes, "They rose. ", 0), author(notes, "They fell. ", 2))
