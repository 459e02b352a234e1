"""``@resource``: what tools share and somebody must close: a client, a pool, a model loaded once in each worker.

Opened on first use where it is used, kept as long as the runtime, thread or process it belongs to, closed in reverse
order. A loop of its own (pytest, a notebook) thereby gets a resource of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args, overload

from .._core.callframe import CallFrame
from .._core.context import current_frame
from .._core.errors import ResourceFailed, UsageError
from .._runtime import Runtime, current
from ..lanes.thread import at_thread_end
from ..lanes.worker_hooks import at_worker_end, in_worker

T = TypeVar("T")
Per = Literal["runtime", "thread", "process"]


class AsyncResource(Generic[T]):
    """A resource made by an async generator: ``client = await web()``. One for each runtime."""

    def __init__(self, body: Callable[[], AsyncIterator[T]]) -> None:
        self.body = body
        self.__name__: str = getattr(body, "__name__", "resource")
        self.__doc__ = body.__doc__

    async def __call__(self) -> T:
        """Return the resource of the current runtime, opened if this is its first use.

        Raises:
          ResourceFailed: opening it failed; the next use tries again.

        Several callers at once share one opening, which none of them cancels by being cancelled itself.
        """
        runtime = current()
        keeper: _Keeper[T] | None = runtime.opened.get(self)
        if keeper is None or keeper.failed:
            keeper = runtime.opened[self] = _Keeper(self, runtime)
        return await keeper.value()

    def __repr__(self) -> str:
        return f"<resource {self.__name__}, per runtime>"


class _Keeper(Generic[T]):
    """Opens and closes one resource, both in one task of its own: some clients insist on that (anyio's scopes do)."""

    def __init__(self, resource: AsyncResource[T], runtime: Runtime) -> None:
        loop = asyncio.get_running_loop()
        self._name = resource.__name__
        self._keepers: list[_Keeper[Any]] = runtime.opened.setdefault(_Keeper, [])
        self._keepers.append(self)
        self._opened: asyncio.Future[T] = loop.create_future()
        self._closing: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._keep(resource), context=Context())
        runtime.push_exit(self.close)

    @property
    def failed(self) -> bool:
        """Whether opening failed."""
        return self._opened.done() and (self._opened.cancelled() or self._opened.exception() is not None)

    async def value(self) -> T:
        """Wait until it is open, and return it."""
        try:
            return await asyncio.shield(self._opened)
        except asyncio.CancelledError:
            if self._opened.cancelled():
                raise ResourceFailed(f"the runtime closed while resource {self._name} was being opened") from None
            raise
        except Exception as error:
            raise ResourceFailed(f"resource {self._name} could not be opened: {error!r}") from error

    async def _keep(self, resource: AsyncResource[T]) -> None:
        manager = asynccontextmanager(resource.body)()
        try:
            value = await manager.__aenter__()
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                self._opened.cancel()
                raise
            self._opened.set_exception(error)
            self._opened.exception()  # told to whoever waits; if nobody does, that is no error of its own
            return
        self._opened.set_result(value)
        try:
            await self._closing
        except asyncio.CancelledError:
            # asyncio.run cancels every task before it closes anything: then it is up to us to keep the order.
            await self._see_later_ones_close()
        await manager.__aexit__(None, None, None)

    async def _see_later_ones_close(self) -> None:
        later = self._keepers[self._keepers.index(self) + 1 :]
        tasks = [keeper._task for keeper in later if not keeper._task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=5.0)

    async def close(self) -> None:
        """Close it; an opening still under way is cancelled."""
        if not self._closing.done():
            self._closing.set_result(None)
        if not self._opened.done():
            self._task.cancel("shutdown")
        await asyncio.wait([self._task], timeout=5.0)
        if not self._task.done():
            self._task.cancel("shutdown")
        elif not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error


class SyncResource(Generic[T]):
    """A resource made by a plain generator: ``session = web()``. One for each runtime, thread or process."""

    def __init__(self, body: Callable[[], Iterator[T]], per: Per) -> None:
        self.body = body
        self.per: Per = per
        self.__name__: str = getattr(body, "__name__", "resource")
        self.__doc__ = body.__doc__
        self._lock = threading.RLock()
        self._of_thread = threading.local()
        self._of_process: list[T] = []

    def __call__(self) -> T:
        """Return the resource of the current runtime, thread or process, opened if this is its first use.

        Raises:
          ResourceFailed: opening it failed; the next use tries again.
          UsageError: it belongs to a runtime or a thread, and none of linecook's is in sight.
        """
        match self.per:
            case "thread":
                return self._for_thread()
            case "process":
                return self._for_process()
            case "runtime":
                return self._for_runtime()

    def _for_thread(self) -> T:
        try:
            value: T = self._of_thread.value
        except AttributeError:
            value, close = self._open()

            def end() -> None:
                del self._of_thread.value
                close()

            try:
                at_thread_end(end)
            except UsageError:
                close()
                raise UsageError(
                    f"resource {self.__name__} is per='thread': use it inside a tool that runs on a thread (a plain def)"
                ) from None
            self._of_thread.value = value
        return value

    def _for_process(self) -> T:
        with self._lock:
            if not self._of_process:
                value, close = self._open()
                (at_worker_end if in_worker() else atexit.register)(close)
                self._of_process.append(value)
            return self._of_process[0]

    def _for_runtime(self) -> T:
        runtime = _runtime_here(self.__name__)
        with self._lock:
            held: list[T] | None = runtime.opened.get(self)
            if held is None:
                value, close = self._open()
                held = runtime.opened[self] = [value]
                runtime.push_exit(close)
            return held[0]

    def _open(self) -> tuple[T, Callable[[], None]]:
        manager = contextmanager(self.body)()
        try:
            value = manager.__enter__()
        except Exception as error:
            raise ResourceFailed(f"resource {self.__name__} could not be opened: {error!r}") from error
        return value, lambda: manager.__exit__(None, None, None) and None

    def __reduce__(self) -> str:
        return self.__name__  # by name: the worker has its own

    def __repr__(self) -> str:
        return f"<resource {self.__name__}, per {self.per}>"


def _runtime_here(name: str) -> Runtime:
    try:
        return current()
    except RuntimeError:
        frame = current_frame.get()
        runtime = frame.runtime if isinstance(frame, CallFrame) else None
        if runtime is None:
            raise UsageError(
                f"resource {name} is per='runtime', and no runtime is in sight here: use it inside a tool or agent, "
                "or declare it per='process'"
            ) from None
        return runtime


class ResourceDecorator(Protocol):
    """What ``resource(...)`` with options returns."""

    @overload
    def __call__(self, function: Callable[[], AsyncGenerator[T, None]], /) -> AsyncResource[T]: ...
    @overload
    def __call__(self, function: Callable[[], AsyncIterator[T]], /) -> AsyncResource[T]: ...
    @overload
    def __call__(self, function: Callable[[], Generator[T, None, None]], /) -> SyncResource[T]: ...
    @overload
    def __call__(self, function: Callable[[], Iterator[T]], /) -> SyncResource[T]: ...


@overload
def resource(function: Callable[[], AsyncGenerator[T, None]], /) -> AsyncResource[T]: ...
@overload
def resource(function: Callable[[], AsyncIterator[T]], /) -> AsyncResource[T]: ...
@overload
def resource(function: Callable[[], Generator[T, None, None]], /) -> SyncResource[T]: ...
@overload
def resource(function: Callable[[], Iterator[T]], /) -> SyncResource[T]: ...
@overload
def resource(*, per: Per = "runtime") -> ResourceDecorator: ...
def resource(function: Any = None, /, *, per: Per = "runtime") -> Any:
    """Make a generator function a resource: what comes before its ``yield`` opens it, what comes after closes it.

    An async generator gives ``await web()``, a plain one ``web()``; both return the same object wherever the resource
    is the same one.

    Args:
      per: to what it belongs. ``"runtime"``: one for each runtime, closed with it. ``"thread"``: one for each thread
        of the thread lane, closed when the thread ends. ``"process"``: one for each process, in workers closed when
        they are sent home, in the main process at its exit. Async generators are per runtime.

    Raises:
      UsageError: the function is no generator, takes arguments, or is async and not per runtime.
    """
    if function is None:
        return lambda body: _make(body, per)  # pyright: ignore[reportUnknownLambdaType, reportUnknownVariableType]
    return _make(function, per)


def _make(function: Any, per: Per) -> Any:
    name = getattr(function, "__name__", repr(function))
    if per not in get_args(Per):
        raise ValueError(f"per={per!r} of {name}: there are {', '.join(map(repr, get_args(Per)))}")
    if not inspect.isgeneratorfunction(function) and not inspect.isasyncgenfunction(function):
        raise UsageError(f"resource {name} must be a generator: open, yield the thing, close")
    if inspect.signature(function).parameters:
        raise UsageError(f"resource {name} takes arguments; it is opened by whoever comes first, so it can't take any")
    if inspect.isasyncgenfunction(function):
        if per != "runtime":
            raise UsageError(f"resource {name} is an async generator, bound to a loop: it is per='runtime'")
        return AsyncResource(function)
    return SyncResource(function, per)
