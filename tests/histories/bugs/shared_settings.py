"""Agents share one settings object: each sets its tool, renders its prompt, and calls with what is set *then*.

Seen in the wild: perplexityai/search_evals#7.
"""

import asyncio

from linecook.testing import outside


class Settings:
    tool_choice = "auto"


async def turn(settings: Settings, tool: str, drafts: int) -> tuple[str, str]:
    for _ in range(drafts):
        await outside("draft")
    settings.tool_choice = tool
    await outside("prompt rendered")
    return tool, await outside(settings.tool_choice)


async def main() -> None:
    settings = Settings()
    answers = await asyncio.gather(turn(settings, "search", 0), turn(settings, "browse", 2))
    assert all(asked == answered for asked, answered in answers)
