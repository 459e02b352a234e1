"""Deadlocks in words: circles, tasks that nothing can wake, threads."""

import asyncio
import threading

from linecook.testing import Failure, explore, outside


def deadlock(main: object) -> Failure:
    """Return the deadlock of *main*."""
    failure = explore(main).failure  # type: ignore[arg-type]
    assert failure is not None
    assert failure.kind == "deadlock"
    return failure


def test_one_that_waits_for_itself() -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        async with lock, lock:
            pass

    assert "which it holds itself" in deadlock(main).message


def test_one_that_nobody_wakes() -> None:
    async def main() -> None:
        asked = asyncio.Event()
        await asyncio.gather(asked.wait(), outside())

    failure = deadlock(main)
    assert "Event.wait" in "\n".join((failure.message, *failure.waits))


def test_threads_are_among_those_who_wait() -> None:
    async def main() -> None:
        first, second = threading.Lock(), threading.Lock()

        def work(one: threading.Lock, other: threading.Lock) -> None:
            with one, other:
                pass

        await asyncio.gather(asyncio.to_thread(work, first, second), asyncio.to_thread(work, second, first))

    failure = deadlock(main)
    assert sum("thread of" in line and "waits for" in line for line in failure.waits) == 2
