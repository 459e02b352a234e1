"""Two thread tools add to one total; between read and write stands a call, where a thread can be switched out."""

import asyncio


class Usage:
    words = 0


def count(text: str) -> int:
    return len(text.split())


def record(usage: Usage, text: str) -> None:
    before = usage.words
    usage.words = before + count(text)


async def main() -> None:
    usage = Usage()
    await asyncio.gather(asyncio.to_thread(record, usage, "one two"), asyncio.to_thread(record, usage, "three"))
    assert usage.words == 3
