"""A slot of ``anyio.CapacityLimiter`` is lost for ever: anyio up to 4.9.0.

Reported as https://github.com/agronholm/anyio/issues/947. A slot is handed to the agent that waits first, and in the
same turn that agent's time is up: it leaves without the slot, and nobody tells the next in line.
"""

import asyncio
from importlib.metadata import version

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

try:
    import anyio

    FOUND = version("anyio")
    SKIPPED = "" if FOUND in ("4.8.0", "4.9.0") else f"anyio {FOUND} is installed, and this shows 4.9.0"
except ImportError:
    SKIPPED = "anyio is not installed: pip install anyio==4.9.0"


async def main() -> None:
    slot = anyio.CapacityLimiter(1)

    async def agent() -> None:
        async with slot:
            await outside("answer")

    async def in_time() -> None:
        try:
            async with asyncio.timeout(1):
                await agent()
        except TimeoutError:
            pass

    async with asyncio.TaskGroup() as group:
        group.create_task(agent())
        group.create_task(in_time())
        group.create_task(agent())


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    print(f"skipped: {SKIPPED}" if SKIPPED else search())
