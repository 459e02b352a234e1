"""``wait_for(queue.get(), …)``: a message that comes at the last moment is received or still in the queue."""

import asyncio

from linecook.testing import outside


async def send(inbox: asyncio.Queue[str]) -> None:
    inbox.put_nowait(await outside("order 7"))


async def main() -> None:
    inbox, received = asyncio.Queue[str](), list[str]()
    sender = asyncio.create_task(send(inbox))
    try:
        received.append(await asyncio.wait_for(inbox.get(), 10))
    except TimeoutError:
        pass
    await sender
    while not inbox.empty():
        received.append(inbox.get_nowait())
    assert received == ["order 7"]
