"""Two replicas confirm a write by mailbox; a confirmation is lost when the time-out falls into the turn it comes in.

One lost is put up with; both lost, and the write is undone although both replicas have it.
"""

import asyncio

from linecook.testing import outside


class Replica:
    def __init__(self) -> None:
        self.confirmed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.has_it = False

    async def write(self) -> None:
        await outside("on disk")
        if not self.confirmed.done():
            self.has_it = True
            self.confirmed.set_result("yes")

    async def wait(self) -> bool:
        try:
            async with asyncio.timeout(5):
                return await self.confirmed == "yes"
        except TimeoutError:
            return False


async def main() -> None:
    replicas = [Replica(), Replica()]
    writes = [asyncio.create_task(replica.write()) for replica in replicas]
    confirmed = await asyncio.gather(*(replica.wait() for replica in replicas))
    await asyncio.wait(writes)
    undone = not any(confirmed)
    assert not (undone and all(replica.has_it for replica in replicas))
