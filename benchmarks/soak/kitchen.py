"""What the rounds of the soak share, and how a kind of trouble is listed and repeated.

A kind of trouble is an async function: one round, which checks what came of it. A round opens nothing that it doesn't
close. What outlives it is the runtime's business: threads abandoned to bodies that come back later, workers that were
killed, tasks that swallow their cancellation. Dice are seeded; real time is not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from linecook import Runtime, Shared, SharedMap, Topic


class Burnt(Exception):
    """What a body fails of, as told."""


class Kitchen:
    """What the rounds share: the runtime, the server's address, dice, cells, and what was counted."""

    def __init__(self, runtime: Runtime, url: str, seed: int = 7) -> None:
        self.runtime = runtime
        self.url = url
        self.dice = random.Random(seed)
        self.total = Shared(0, name="total")
        self.by_key: SharedMap[str, int] = SharedMap(name="by_key")
        self.purse, self.spent = Shared(10**9, name="purse"), Shared(0, name="spent")
        self.news: Topic[str] = Topic("news", keep=100)
        self.calls = 0
        self.served = 0  # by the server, and right
        self.at_work = 0  # rounds under way
        self.open = asyncio.Event()  # cleared for a rest: no round begins
        self.open.set()
        self.wrong: list[str] = []

    def expect(self, right: bool, what: str) -> None:
        """Note *what* as wrong unless *right*."""
        if not right and len(self.wrong) < 20:
            self.wrong.append(what)


Trouble = Callable[[Kitchen], Awaitable[None]]
TROUBLES: dict[Trouble, float] = {}
"""Each kind, with the seconds between two of its rounds."""


def every(seconds: float) -> Callable[[Trouble], Trouble]:
    def listed(trouble: Trouble) -> Trouble:
        TROUBLES[trouble] = seconds
        return trouble

    return listed


async def again_and_again(trouble: Trouble, pause: float, kitchen: Kitchen, until: float) -> None:
    """Have one kind of trouble, round after round."""
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        await kitchen.open.wait()
        kitchen.at_work += 1
        try:
            async with asyncio.timeout(60):
                await trouble(kitchen)
        except Exception as error:
            kitchen.expect(False, f"{trouble.__name__}: {error!r}")
        finally:
            kitchen.at_work -= 1
        await asyncio.sleep(pause * kitchen.dice.uniform(0.5, 1.5))
