"""A mailbox hands a message to the future of who waits; a time-out in the same turn throws it away with the future.

The message is neither in the mailbox nor with the receiver. Cure: leave it in the mailbox and only wake the waiter, as
``asyncio.Queue`` does.
"""

import asyncio
from collections import deque

from linecook.testing import outside


class Mailbox:
    def __init__(self) -> None:
        self.messages = deque[str]()
        self.waiting = deque[asyncio.Future[str]]()

    def put(self, message: str) -> None:
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(message)
                return
        self.messages.append(message)

    async def get(self) -> str:
        if self.messages:
            return self.messages.popleft()
        waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        return await waiter


async def send(mailbox: Mailbox) -> None:
    mailbox.put(await outside("order 7"))


async def main() -> None:
    mailbox, received = Mailbox(), list[str]()
    sender = asyncio.create_task(send(mailbox))
    try:
        async with asyncio.timeout(10):
            received.append(await mailbox.get())
    except TimeoutError:
        pass
    await sender
    received += mailbox.messages
    assert received == ["order 7"]
