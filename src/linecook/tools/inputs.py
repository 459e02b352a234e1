"""What fan-outs read: a checked iterator over the input, and the one task that reads an asynchronous one."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, cast

from .._core.callframe import CallFrame, call_from
from .._core.endings import EXITS
from .._core.errors import BodyExited, UsageError
from .stream import Stream

if TYPE_CHECKING:
    from .fanout import FanOut

_log = logging.getLogger("linecook")


class Feed:
    """Reads an asynchronous input, in one task from its first item to its last.

    One task, since many an async generator holds what belongs to a task: a time-out, a task group, a connection.
    Closed there too when the fan-out ends early.

    Attributes:
      task: the task; None before the first item is wanted, and when reading is over.
    """

    def __init__(self, fanout: FanOut, source: AsyncIterator[Any]) -> None:
        self._fanout = fanout
        self._source = source
        self._begun = False
        self._room: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def reads(self) -> bool:
        """Whether reading has begun and has not ended."""
        return self.task is not None and not self.task.done()

    def wake(self) -> None:
        """Read on, if there is room."""
        if not self._fanout.has_room():
            return
        if not self._begun:
            self._begun = True
            self.task = self._fanout.loop.create_task(self._read())
            self.task.add_done_callback(self._ended)  # not in a finally: it may be cancelled before its first step
        elif self._room is not None and not self._room.done():
            self._room.set_result(None)

    def cancel(self, reason: str) -> None:
        """Ask the reading to end."""
        if self.task is not None and self.task is not asyncio.current_task(self.task.get_loop()):
            self.task.cancel(reason)

    async def _read(self) -> None:
        fanout, source = self._fanout, self._source
        at_end = False  # or broken: then there is nothing to close
        try:
            while fanout.feeding:
                if not fanout.has_room():
                    self._room = fanout.loop.create_future()
                    await self._room
                    continue
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    at_end = True
                    return
                if fanout.feeding:
                    fanout.begin(item, False)
                else:
                    fanout.held.append(item)  # it came too late to begin
        except asyncio.CancelledError as error:
            if fanout.feeding:  # not we have asked for that
                fanout.fail_feed(error)
        except BaseException as error:
            at_end = True
            fanout.fail_feed(error)
        finally:
            if not at_end:
                await _close(source)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() and self._fanout.feeding:  # by somebody else, before its first step
            self._fanout.fail_feed(asyncio.CancelledError())
        if self.task is task:
            self.task = None
            self._fanout.feed_ended()


async def _close(source: AsyncIterator[Any]) -> None:
    aclose = getattr(source, "aclose", None)
    if aclose is None:
        return
    try:
        await aclose()
    except BaseException:  # raised on, an exit would end the loop; and the fan-out has ended for another reason
        _log.warning("closing the input %r failed", source, exc_info=True)


def iterator_over(source: object, name: str) -> Iterator[Any] | AsyncIterator[Any]:
    """Return an iterator over *source*.

    Raises:
      UsageError: it is no iterable of calls; the message says what it is.
    """
    if isinstance(source, Stream):
        raise UsageError(f"{name} takes calls; {source!r} is a stream: read it with 'async for'")
    if isinstance(source, (str, bytes, bytearray, dict, asyncio.Future, Coroutine)):
        raise _no_calls(source, name)
    if isinstance(source, AsyncIterable):
        return aiter(source)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if not isinstance(source, Iterable) and not hasattr(source, "__getitem__"):
        raise _no_calls(source, name)
    return iter(cast("Iterable[Any]", source))


def _no_calls(source: Any, name: str) -> UsageError:
    try:
        call_from(source)
    except UsageError as error:
        hint = str(error)
    else:
        hint = f"got a single call, {source!r}"
    return UsageError(f"{name} takes calls, or one iterable of calls: {hint}")


def ending_of(error: BaseException, name: str) -> BaseException:
    """Return what *error*, raised by the input of the fan-out *name*, is raised as by the fan-out."""
    if not isinstance(error, EXITS) or isinstance(error, (KeyboardInterrupt, SystemExit)):
        return error
    exited = BodyExited(
        f"the input of {name} raised {error!r}. It reaches you as BodyExited, since it would otherwise be taken for a "
        "cancellation; raise an ordinary exception, or end the input, instead."
    )
    exited.__cause__ = error
    return exited


def discard(item: Any) -> None:
    """Give up *item*, which was handed over and will not run, so that nobody reports it as never awaited."""
    if isinstance(item, CallFrame | Stream):
        item.discard()
    elif inspect.iscoroutine(item):
        if inspect.getcoroutinestate(item) == inspect.CORO_CREATED:  # another task may be running it
            item.close()
    elif isinstance(item, Coroutine):
        item.close()


def discard_all(inputs: Iterable[Any]) -> None:
    """Give up all that was handed over: calls one by one, or one collection of calls; a lazy input has not made its."""
    for given in inputs:
        discard(given)
        if isinstance(given, Sized) and isinstance(given, Iterable) and not isinstance(given, (str, bytes, dict)):
            for item in given:  # pyright: ignore[reportUnknownVariableType]
                discard(item)
