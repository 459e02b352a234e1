"""What the tests of the decision guide share: a call that hangs, and a bound on waiting."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio

MOMENT = 0.1  # seconds after which what has not happened is taken for not happening; only what hangs costs them


class Hang:
    """A sync call that returns when its test is over."""

    __name__ = "hang"

    def __init__(self) -> None:
        self._over = threading.Event()

    def __call__(self) -> str:
        self._over.wait(60)
        return "too late"

    async def release(self) -> None:
        """Let every such call return, and end the threads of the loop's own pool."""
        self._over.set()
        await asyncio.get_running_loop().shutdown_default_executor()


@pytest_asyncio.fixture
async def hang() -> AsyncIterator[Hang]:
    """A call that hangs until ``await hang.release()``, or until its test has failed."""
    made = Hang()
    yield made
    await made.release()


@pytest.fixture
def never_ends() -> Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, bool]]:
    """Whether a coroutine is still waiting after a moment; it is cancelled then."""

    async def never_ends(coroutine: Coroutine[Any, Any, Any]) -> bool:
        task = asyncio.ensure_future(coroutine)
        done, _ = await asyncio.wait([task], timeout=MOMENT)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return not done

    return never_ends
