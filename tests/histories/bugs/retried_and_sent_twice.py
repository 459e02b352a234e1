"""A time-out isn't a failure: the first e-mail was only slow, and the retry sends it again."""

import asyncio

from linecook.testing import outside


async def deliver(outbox: list[str], mail: str) -> None:
    await outside("accepted")
    outbox.append(mail)


async def send(outbox: list[str], mail: str, deliveries: list[asyncio.Task[None]]) -> None:
    for _ in range(2):
        deliveries.append(asyncio.create_task(deliver(outbox, mail)))
        done, _ = await asyncio.wait({deliveries[-1]}, timeout=30)
        if done:
            return


async def main() -> None:
    outbox, deliveries = list[str](), list[asyncio.Task[None]]()
    await send(outbox, "your order", deliveries)
    await asyncio.gather(*deliveries)
    assert outbox == ["your order"]
