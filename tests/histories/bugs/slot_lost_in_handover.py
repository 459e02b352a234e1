"""A semaphore by hand: a slot is given to a waiter that is cancelled before it runs, and is nobody's from then on."""

import asyncio
from collections import deque

from linecook.testing import outside


class Slots:
    def __init__(self, free: int) -> None:
        self.free = free
        self.waiting = deque[asyncio.Future[None]]()

    async def acquire(self) -> None:
        if self.free:
            self.free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        await turn  # the slot passes straight to us

    def release(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


async def call_model(slots: Slots) -> None:
    await slots.acquire()
    try:
        await outside("answer")
    finally:
        slots.release()


async def main() -> None:
    slots = Slots(1)
    first = asyncio.create_task(call_model(slots))
    second = asyncio.create_task(call_model(slots))
    await outside("the user closes a tab")
    second.cancel()
    await asyncio.wait({first, second})
    await call_model(slots)
