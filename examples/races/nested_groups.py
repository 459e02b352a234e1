"""A task group inside another loses a cancellation: CPython before 3.13.

Reported as https://github.com/python/cpython/issues/116720. A child of the inner group and a child of the outer one
fail at about the same time. Both groups cancel the same task; the inner one takes its own cancellation back, and with
it the outer one's: the body of the outer group goes on, and waits for the rest of its work, although the group has
failed.
"""

import asyncio
import sys

from linecook.testing import explore, outside
from linecook.testing.exploring import Exploration

SKIPPED = "mended in Python 3.13" if sys.version_info >= (3, 13) else ""


async def main() -> None:
    went_on = False
    outer_failed = asyncio.Event()

    async def breaks(name: str) -> None:
        await outside(name)
        if name == "outer":
            outer_failed.set()
        raise OSError(name)

    try:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(breaks("outer"))
            try:
                async with asyncio.TaskGroup() as inner:
                    inner.create_task(breaks("inner"))
            except* OSError:
                pass  # the inner work may fail, and another way is tried:
            both_failed = outer_failed.is_set()
            await outside("another way")
            went_on = both_failed
    except* OSError:
        pass
    assert not went_on, "the outer group had failed, and its body went on to the end"


def search() -> Exploration:
    return explore(main)


if __name__ == "__main__":
    print(f"skipped: {SKIPPED}" if SKIPPED else search())
