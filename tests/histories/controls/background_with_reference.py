"""Work in the background whose tasks are kept, and awaited at the end."""

import asyncio

from linecook.testing import outside


async def audit(question: str, log: list[str]) -> None:
    await outside("connected")
    log.append(question)


async def main() -> None:
    log, background = list[str](), set[asyncio.Task[None]]()
    for question in ("rates", "rivals"):
        task = asyncio.create_task(audit(question, log))
        background.add(task)
        task.add_done_callback(background.discard)
        await outside(f"a draft on {question}")
    while background:
        await asyncio.wait(background)
    assert sorted(log) == ["rates", "rivals"]
