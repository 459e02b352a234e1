"""``wait_for`` swallows a cancellation when the answer comes at the same time: CPython before 3.12.

Reported as https://github.com/python/cpython/issues/86296 (bpo-42130). An agent that is told to stop, just as the
answer arrives that it waits for, keeps going.
"""

import asyncio
import sys

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SKIPPED = "mended in Python 3.12" if sys.version_info >= (3, 12) else ""


async def main() -> None:
    charged = list[str]()

    async def agent() -> None:
        answer = await asyncio.wait_for(outside("answer"), timeout=10)
        await outside("the next call")
        charged.append(answer)

    at_work = asyncio.create_task(agent())
    await outside("stop")
    stopped = at_work.cancel()  # True: it was not done, and has been asked to end
    await asyncio.wait([at_work])
    assert not (stopped and charged), "the agent was cancelled, and went on to charge"


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    print(f"skipped: {SKIPPED}" if SKIPPED else search())
