"""``run_in_executor`` and ``asyncio.to_thread`` under exploration: the body becomes a thread under control."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from ..mistakes import InjectedFault
from ..threads.threads import ControlledThread
from .arrivals import Answer, Arrival, Fault, ThreadStep
from .tasks import ExploredFuture

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Executors:
    """What a loop does with executors."""

    _default: Executor | None = None
    _futures = 0
    expect: Callable[[Arrival], None]
    is_closed: Callable[[], bool]

    def set_default_executor(self, executor: Any) -> None:
        self._default = executor

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        if self._default is not None:
            self._default.shutdown(wait=False)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run *func* in a thread under control; in *executor*'s own ones, where one is given: its bound is kept.

        A ``ProcessPoolExecutor`` isn't used: what it would run comes as one arrival, arguments and result pickled.
        """
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        executor = executor or self._default
        loop: Any = self
        if executor is None:
            future: ExploredFuture[T] = ExploredFuture(loop=loop)
            self._futures += 1
            future.number = -self._futures
            name = getattr(_plain(func), "__qualname__", repr(func))
            thread = ControlledThread(func, args, name=f"thread of {name}")
            self.expect(ThreadStep(thread, partial(_answer, thread, future)))
            return future
        if isinstance(executor, ProcessPoolExecutor):
            answered: asyncio.Future[T] = loop.create_future()
            self.expect(ProcessBody(_plain(func), partial(func, *args), answered))
            return answered
        return asyncio.wrap_future(executor.submit(func, *args), loop=loop)


def _plain(func: Any) -> Any:
    """Return what *func* runs in the end: ``to_thread`` hands over ``partial(context.run, func, …)``."""
    while isinstance(func, partial):
        func = func.args[0] if getattr(func.func, "__name__", "") == "run" and func.args else func.func
    return func


def _answer(thread: ControlledThread, future: asyncio.Future[Any], loop: Any) -> None:
    loop.enqueue(_tell, thread, future)


def _tell(thread: ControlledThread, future: asyncio.Future[Any]) -> None:
    if future.done():
        return
    error = thread.error
    if isinstance(error, StopIteration):  # as concurrent.futures and asyncio do between them
        wrapped = RuntimeError("StopIteration interacts badly with generators and cannot be raised into a Future")
        wrapped.__cause__ = error
        error = wrapped
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(thread.result())


class ProcessBody(Answer):
    """A body that runs in another process: all of it at once, when its answer comes."""

    __slots__ = ("body",)

    between = True
    faults: tuple[Fault, ...] = ("hang", "late", "death")

    def __init__(self, function: Any, body: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        super().__init__(f"process body {getattr(function, '__qualname__', function)}", future)
        self.body: Callable[[], Any] = pickle.loads(pickle.dumps(body))

    def arrive(self, loop: Any) -> bool:
        try:
            self.value = pickle.loads(pickle.dumps(self.body()))
        except Exception as error:
            self.error = error
        loop.enqueue(self.tell)
        return False

    def arrive_faulty(self, loop: Any, fault: Fault) -> bool:
        if fault == "death":
            self.error = InjectedFault(f"{self.what}: its worker died, injected by the explorer")
            loop.enqueue(self.tell)
            return False
        return super().arrive_faulty(loop, fault)
