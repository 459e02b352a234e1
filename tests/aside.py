"""A call on a thread of its own: for what asks the event loop of the test and must not run on it."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def begin_aside(function: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
    """Call *function* on a daemon thread; the future is answered on the running loop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def answer(value: Any, error: BaseException | None) -> None:
        if not future.done():
            _ = future.set_result(value) if error is None else future.set_exception(error)

    def work() -> None:
        try:
            value, error = function(*args), None
        except BaseException as raised:
            value, error = None, raised
        loop.call_soon_threadsafe(answer, value, error)

    threading.Thread(target=work, daemon=True).start()
    return future


async def aside(function: Callable[..., T], *args: Any) -> T:
    """Return what *function* returns, called on a daemon thread."""
    return await begin_aside(function, *args)
