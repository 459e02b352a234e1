"""Who cancels a task and then awaits it catches the ``CancelledError`` rightly; a time-out inside uncancels itself."""

import asyncio

from linecook.testing import outside


async def listener(heard: list[str]) -> None:
    for _ in range(2):
        try:
            async with asyncio.timeout(3):
                heard.append(await outside("a word"))
        except TimeoutError:
            heard.append("silence")
            return


async def main() -> None:
    heard = list[str]()
    listening = asyncio.create_task(listener(heard))
    await outside("the user hangs up")
    listening.cancel()
    try:
        await listening
    except asyncio.CancelledError:
        pass
