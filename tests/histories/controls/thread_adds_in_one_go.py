"""Thread tools that add without a call between read and write: under the GIL of 3.11 to 3.13 nothing comes between."""

import asyncio


class Usage:
    words = 0


def record(usage: Usage, words: int) -> None:
    usage.words += words


async def main() -> None:
    usage = Usage()
    await asyncio.gather(asyncio.to_thread(record, usage, 2), asyncio.to_thread(record, usage, 1))
    assert usage.words == 3
