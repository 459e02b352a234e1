"""A mailbox that only wakes who waits: the message stays until it is taken, and a cancelled waiter wakes the next."""

import asyncio
from collections import deque

from linecook.testing import outside


class Mailbox:
    def __init__(self) -> None:
        self.messages = deque[str]()
        self.waiting = deque[asyncio.Future[None]]()

    def put(self, message: str) -> None:
        self.messages.append(message)
        self.wake()

    def wake(self) -> None:
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def get(self) -> str:
        while not self.messages:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if self.messages and waiter.done() and not waiter.cancelled():
                    self.wake()
                raise
        return self.messages.popleft()


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
