"""The audit entry is written "in the background"; the answer may be out, and the program over, before it is."""

import asyncio

from linecook.testing import outside


async def audit(question: str, log: list[str]) -> None:
    await outside("connected")
    log.append(question)


async def handle(question: str, log: list[str]) -> str:
    asyncio.create_task(audit(question, log))
    draft = await outside(f"a draft on {question}")
    return await outside(f"{draft}, polished")


async def main() -> None:
    await handle("rates", [])
