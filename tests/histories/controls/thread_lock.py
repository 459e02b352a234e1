"""Thread tools that read, call and write under a ``threading.Lock``."""

import asyncio
import threading


class Usage:
    words = 0


def count(text: str) -> int:
    return len(text.split())


def record(usage: Usage, lock: threading.Lock, text: str) -> None:
    with lock:
        before = usage.words
        usage.words = before + count(text)


async def main() -> None:
    usage, lock = Usage(), threading.Lock()
    await asyncio.gather(
        asyncio.to_thread(record, usage, lock, "one two"),
        asyncio.to_thread(record, usage, lock, "three"),
    )
    assert usage.words == 3
