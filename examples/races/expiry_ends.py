"""To clear one key ends the clean-up of all others: limits 5.8.0. No report found.

``MemoryStorage`` of ``limits.aio`` lets go of old entries in a task of its own, key by key, each looked through in a
thread. A key that is cleared meanwhile, as on a log-out, is missing when its turn comes: the task ends with
``KeyError``, which nobody sees but the log ("Task exception was never retrieved"), and the keys after it are not
cleaned up this time.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SEEN_IN = ("5.8.0",)
try:
    from limits import parse
    from limits.aio.storage import MemoryStorage
    from limits.aio.strategies import MovingWindowRateLimiter

    FOUND = version("limits")
    SKIPPED = "" if FOUND in SEEN_IN else f"limits {FOUND} is installed, and this was seen in {SEEN_IN}"
except ImportError:
    SKIPPED = "limits is not installed: pip install limits==5.8.0"


async def main() -> None:
    storage = MemoryStorage()
    limiter, rate = MovingWindowRateLimiter(storage), parse("100/minute")
    for user in ("ann", "bob"):
        await limiter.hit(rate, user)

    async def ann() -> None:
        await outside("a question")
        await limiter.hit(rate, "ann")

    async def bob() -> None:
        await outside("log-out")
        await limiter.clear(rate, "bob")

    await asyncio.gather(ann(), bob())
    if storage.timer is not None:
        await asyncio.wait([storage.timer])


async def with_real_sleeps() -> str:
    """Return how the clean-up ended on asyncio's own loop."""
    storage = MemoryStorage()
    limiter, rate = MovingWindowRateLimiter(storage), parse("100/minute")
    for user in ("ann", "bob"):
        await limiter.hit(rate, user)
    await asyncio.sleep(0.1)  # the clean-up has come round
    await limiter.hit(rate, "ann")
    await asyncio.sleep(0)  # it begins again,
    await limiter.clear(rate, "bob")
    await asyncio.sleep(0.1)
    return repr(storage.timer.exception()) if storage.timer is not None else "no clean-up"


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    if SKIPPED:
        print(f"skipped: {SKIPPED}")
    else:
        print(search())
        print(f"\non asyncio's own loop, with real sleeps: {asyncio.run(with_real_sleeps())}")
