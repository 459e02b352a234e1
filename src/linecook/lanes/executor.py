"""A thread lane where an executor is expected: as a loop's default one it carries ``to_thread`` and name look-ups."""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from .._core.endings import contained
from .._core.meter import Meter
from .base import Job
from .thread import ThreadLane

P = ParamSpec("P")
R = TypeVar("R")


class _Nobody:
    """The port of jobs that no loop waits for: they answer their future themselves, on the worker's thread."""

    def __init__(self) -> None:
        self.done: deque[Job] = deque(maxlen=0)  # the lane puts jobs here without a call; none of them is kept

    def put(self, job: Job) -> None:
        """Do nothing: the body has answered."""

    def wake(self) -> None:
        """Do nothing: nobody sleeps."""


_nobody = _Nobody()


class _Future(concurrent.futures.Future[R]):
    """A future whose cancel also takes the job out of the lane, when it hasn't begun."""

    def __init__(self, lane: ThreadLane) -> None:
        super().__init__()
        self._lane = lane
        self._job: Job | None = None

    def cancel(self) -> bool:
        """Cancel, unless the function runs or has ended; say whether that was so."""
        cancelled = super().cancel()
        job, self._job = self._job, None
        if cancelled and job is not None:
            self._lane.drop(job)
        return cancelled


class LaneExecutor(concurrent.futures.ThreadPoolExecutor):
    """Run submitted functions on the threads of *lane*, which it shares and doesn't own.

    A ``ThreadPoolExecutor`` by type, since ``loop.set_default_executor`` accepts nothing else. Differences from that
    class: the threads are the lane's (daemons; ``thread_name_prefix`` and ``initializer`` have no meaning here), and
    ``shutdown`` never waits for a function that runs: ``asyncio.run`` waits for its default executor's shutdown, and
    one hung function would keep the process for ever. Whoever needs a result awaits it.
    """

    def __init__(self, lane: ThreadLane) -> None:
        super().__init__(max_workers=lane.max_threads)
        self._lane = lane
        self._pending: set[_Future[Any]] = set()
        self._closing = threading.Lock()
        self._down = False

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[R]:
        """Run ``fn(*args, **kwargs)`` on a thread of the lane; from any thread; never blocks.

        Raises:
          RuntimeError: after ``shutdown``.
          Refused: a bound of the lane is reached, or the lane is closed.
        """
        future: _Future[R] = _Future(self._lane)
        # A meter of its own, so "not known to be short": what comes through here has no name to learn by (``to_thread``
        # passes ``Context.run``), and nothing may wait behind a blocking call.
        job = Job(
            _run,
            (future, fn, args, kwargs),
            {},
            meter=Meter("executor", "thread"),
            future=cast(Any, future),
            label=getattr(fn, "__qualname__", type(fn).__name__),
        )
        job.port = _nobody
        future._job = job
        with self._closing:
            if self._down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        try:
            self._lane.enter(job)
        except BaseException:
            self._pending.discard(future)
            raise
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more. What runs goes on, unseen; what waits is still run, or cancelled with *cancel_futures*.

        Args:
          wait: has no effect; see the class.
          cancel_futures: cancel what hasn't begun.
        """
        with self._closing:
            self._down = True
            pending = list(self._pending) if cancel_futures else []
        for future in pending:
            future.cancel()


def _run(future: _Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Be the body: answer *future* as the standard library's executors do, exits included, but for one.

    A ``StopIteration`` can't be set on asyncio's future: on 3.11 ``to_thread`` then never answers.
    """
    future._job = None
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except StopIteration as error:
        future.set_exception(contained(error, getattr(fn, "__qualname__", repr(fn))))
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
    finally:
        del future, fn, args, kwargs  # error, its traceback, this frame, future, error: no such circle
