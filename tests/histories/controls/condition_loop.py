"""``while`` around ``wait()``, and who puts notifies under the lock."""

import asyncio

from linecook.testing import outside


async def producer(inbox: list[str], news: asyncio.Condition) -> None:
    for _ in range(2):
        answer = await outside("answer")
        async with news:
            inbox.append(answer)
            news.notify_all()


async def consumer(inbox: list[str], news: asyncio.Condition, warm_up: int) -> str:
    for _ in range(warm_up):
        await outside("prompt loaded")
    async with news:
        while not inbox:
            await news.wait()
        return inbox.pop()


async def main() -> None:
    inbox, news = list[str](), asyncio.Condition()
    await asyncio.gather(producer(inbox, news), consumer(inbox, news, 0), consumer(inbox, news, 1))
