"""Two tools on threads take the same two locks in the opposite order."""

import asyncio
import threading


def transfer(source: threading.Lock, target: threading.Lock, log: list[str]) -> None:
    with source:
        log.append("taken")
        with target:
            log.append("booked")


async def main() -> None:
    giro, savings, log = threading.Lock(), threading.Lock(), list[str]()
    await asyncio.gather(
        asyncio.to_thread(transfer, giro, savings, log),
        asyncio.to_thread(transfer, savings, giro, log),
    )
    assert len(log) == 4
