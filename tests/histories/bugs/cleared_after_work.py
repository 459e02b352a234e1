"""The event is cleared after the batch is handled: what was announced meanwhile lies in the inbox for ever."""

import asyncio

from linecook.testing import outside


async def consumer(inbox: list[str], news: asyncio.Event) -> None:
    handled = 0
    while handled < 2:
        await news.wait()
        batch = inbox.copy()
        inbox.clear()
        await outside("handled")
        handled += len(batch)
        news.clear()


async def producer(inbox: list[str], news: asyncio.Event, drafts: int) -> None:
    for _ in range(drafts):
        answer = await outside("answer")
    inbox.append(answer)
    news.set()


async def main() -> None:
    inbox, news = list[str](), asyncio.Event()
    await asyncio.gather(consumer(inbox, news), producer(inbox, news, 1), producer(inbox, news, 2))
