"""The consumer looks, logs that there is nothing, and only then waits: what is notified meanwhile wakes nobody."""

import asyncio

from linecook.testing import outside


async def consumer(inbox: list[str], news: asyncio.Condition) -> str:
    if not inbox:
        await outside("logged: nothing yet")
        async with news:
            await news.wait()
    return inbox.pop()


async def producer(inbox: list[str], news: asyncio.Condition) -> None:
    answer = await outside("answer")
    async with news:
        inbox.append(answer)
        news.notify()


async def main() -> None:
    inbox, news = list[str](), asyncio.Condition()
    await asyncio.gather(consumer(inbox, news), producer(inbox, news))
