"""``@resource``: what tools share and somebody must close: a client, a pool, a model loaded once in each worker.

Opened on first use where it is used, kept as long as the runtime, thread or process it belongs to, closed in reverse
order. A loop of its own (pytest, a notebook) thereby gets a resource of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextvars import Context
from functools import partial
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args, overload

from .._core.callframe import CallFrame
from .._core.context import frame_here
from .._core.endings import contained
from .._core.errors import ResourceFailed, UsageError
from .._core.supervise import see_end, supervisor_of
from .._runtime import Runtime, current
from ..lanes.thread import at_thread_end
from ..lanes.worker_hooks import at_worker_end, in_worker

T = TypeVar("T")
Per = Literal["runtime", "thread", "process"]
_PATIENCE = 5.0  # seconds that all resources of a runtime have to close, from the first on
_LEAST = 0.05  # seconds that one has even when those before it have used that up


class AsyncResource(Generic[T]):
    """A resource made by an async generator: ``client = await web()``. One for each runtime."""

    __name__: str
    __qualname__: str

    def __init__(self, body: Callable[[], AsyncIterator[T]]) -> None:
        self.body = body
        _named_like(self, body)

    async def __call__(self) -> T:
        """Return the resource of the current runtime, opened if this is its first use.

        Raises:
          ResourceFailed: opening it failed; the next use tries again.

        Several callers at once share one opening, which none of them cancels by being cancelled itself.
        """
        runtime = current()
        keeper: _Keeper[T] | None = runtime.opened.get(self)
        if keeper is None:
            runtime.push_exit(lambda: runtime.opened[self].end_opening())  # noqa: PLW0108 - of the keeper there is then
        if keeper is None or keeper.is_over:
            keeper = runtime.opened[self] = _Keeper(self, runtime)
        return await keeper.value()

    def __reduce__(self) -> str:
        return self.__qualname__  # by name: whoever unpickles it has its own

    def __repr__(self) -> str:
        return f"<resource {self.__name__}, per runtime>"


class _Keeper(Generic[T]):
    """Opens and closes one resource, both in one task of its own: some clients insist on that (anyio's scopes do)."""

    def __init__(self, resource: AsyncResource[T], runtime: Runtime) -> None:
        loop = asyncio.get_running_loop()
        self._name = resource.__name__
        self._runtime = runtime
        self._opened: asyncio.Future[None] = loop.create_future()
        self._failure: BaseException | None = None
        self._values: list[T] = []
        self._closing: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._keep(resource), name=f"resource {self._name}", context=Context())

    @property
    def is_over(self) -> bool:
        """Whether it could not be opened, or was closed: the next use opens a new one."""
        return self._failure is not None or self._closing.done() or self._task.done()

    async def value(self) -> T:
        """Wait until it is open, and return it."""
        await asyncio.shield(self._opened)
        if self._failure is not None:
            raise ResourceFailed(f"resource {self._name} could not be opened: {self._failure!r}") from self._failure
        return self._values[0]

    async def _keep(self, resource: AsyncResource[T]) -> None:
        manager = contextlib.asynccontextmanager(resource.body)()  # pyright: ignore[reportDeprecated]
        try:
            self._values.append(await manager.__aenter__())
        except BaseException as error:
            self._failure = self._why_not(error)
            return
        finally:
            self._opened.set_result(None)
        # Closed before all that were open when it was: what it uses is among them, though perhaps asked for later.
        self._runtime.opened[resource] = self._runtime.opened.pop(resource, self)
        self._runtime.push_exit(self.close)
        try:
            await self._closing
        except asyncio.CancelledError:
            # asyncio.run cancels every task before it closes anything: then it is up to us to keep the order.
            await self._see_later_ones_close()
        await manager.__aexit__(None, None, None)

    def _why_not(self, error: BaseException) -> BaseException:
        if isinstance(error, asyncio.CancelledError) and self._task.cancelling():
            return RuntimeError("the runtime was closed meanwhile")
        return contained(error, f"resource {self._name}")

    async def _see_later_ones_close(self) -> None:
        in_order: list[Any] = [each for each in self._runtime.opened.values() if isinstance(each, _Keeper)]
        later = [keeper._task for keeper in in_order[in_order.index(self) + 1 :]] if self in in_order else []
        if later:
            await asyncio.wait(later, timeout=_PATIENCE)

    async def end_opening(self) -> None:
        """Cancel an opening still under way, and wait for its end."""
        if not self._opened.done():
            self._task.cancel("shutdown")
            await self._see_end()

    async def close(self) -> None:
        """Close it; raises what closing it raises. All resources of a runtime have ``_PATIENCE`` seconds together."""
        if not self._closing.done():
            self._closing.set_result(None)
        await self._see_end()

    async def _see_end(self) -> None:
        loop = self._task.get_loop()
        spent = loop.time() - self._runtime.closing_since
        if await see_end([self._task], max(_PATIENCE - spent, _LEAST)):
            self._task.cancel("shutdown")
            supervisor_of(loop).adopt(self._task, f"resource {self._name}", "shutdown", 0.1)
        elif not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise contained(error, f"closing resource {self._name}")


class SyncResource(Generic[T]):
    """A resource made by a plain generator: ``session = web()``. One for each runtime, thread or process."""

    __name__: str
    __qualname__: str

    def __init__(self, body: Callable[[], Iterator[T]], per: Per) -> None:
        self.body = body
        self.per: Per = per
        _named_like(self, body)
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
            ends: list[
                Callable[[], None]
            ] = []  # registered before anything is opened, so that a wrong place opens nothing
            try:
                at_thread_end(lambda: [end() for end in ends])
            except UsageError:
                raise UsageError(
                    f"resource {self.__name__} is per='thread': use it inside a tool that runs on a thread (plain def)"
                ) from None
            value, close = self._open()
            self._of_thread.value = value
            ends += [partial(delattr, self._of_thread, "value"), close]
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
        held: _Held[T] = runtime.opened.setdefault(
            self, _Held()
        )  # a lock for each runtime: one that hangs hurts its own
        with held.lock:
            if not held.values:
                value, close = self._open()
                held.values.append(value)
                runtime.push_exit(partial(held.close, close))
            return held.values[0]

    def _open(self) -> tuple[T, Callable[[], None]]:
        manager = contextlib.contextmanager(self.body)()  # pyright: ignore[reportDeprecated]
        try:
            value = manager.__enter__()
        except BaseException as error:
            raise ResourceFailed(f"resource {self.__name__} could not be opened: {error!r}") from error
        return value, partial(_leave, manager)

    def __reduce__(self) -> str:
        return self.__qualname__  # by name: the worker has its own

    def __repr__(self) -> str:
        return f"<resource {self.__name__}, per {self.per}>"


class _Held(Generic[T]):
    """What one runtime holds of a sync resource: nothing, or one value."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.values: list[T] = []

    def close(self, close: Callable[[], None]) -> None:
        """Let the value go, then close it."""
        self.values.clear()
        close()


def _leave(manager: contextlib.AbstractContextManager[Any]) -> None:
    manager.__exit__(None, None, None)


def _named_like(resource: Any, body: Any) -> None:
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(resource, name, getattr(body, name, None))


def _runtime_here(name: str) -> Runtime:
    try:
        return current()
    except RuntimeError:
        frame = frame_here()
        runtime: Runtime | None = frame.runtime if isinstance(frame, CallFrame) else None
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

    The async resources of a runtime have 5 s to close, all together: one that takes longer is cancelled, and left to
    the loop's supervisor. A plain generator is closed in place, without a bound.

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
