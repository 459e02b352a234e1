"""The supervisor pings every agent in the registry, awaiting each, while a new agent registers itself."""

import asyncio

from linecook.testing import outside


async def supervisor(registry: dict[str, str]) -> None:
    for name in registry:
        registry[name] = await outside("alive")


async def newcomer(registry: dict[str, str]) -> None:
    for _ in range(3):
        await outside("model loads")
    registry["critic"] = "new"


async def main() -> None:
    registry = {"planner": "new", "writer": "new"}
    await asyncio.gather(supervisor(registry), newcomer(registry))
