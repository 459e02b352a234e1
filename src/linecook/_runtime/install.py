"""``install``: the one line that cures the default pool of a program that has an event loop already."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any
from weakref import ref

from ..lanes.executor import LaneExecutor
from ..lanes.thread import ThreadLane
from .runtime import thread_lane_for

_lock = threading.Lock()


class Installed:
    """What ``install`` did; ``uninstall`` reverses it. Also a context manager."""

    def __init__(self) -> None:
        self._given: list[tuple[Callable[[], asyncio.AbstractEventLoop | None], Any]] = []
        self._factory: Callable[[], asyncio.AbstractEventLoop] | None = None
        self._wrapper: Callable[[], asyncio.AbstractEventLoop] | None = None
        self._traces: list[Any] = []

    def _trace_locks(self) -> None:
        from ..observe.stuck.traced import LockTrace

        self._traces.append(LockTrace().begin())

    def _trace_tasks(self) -> None:
        from ..observe.stuck.made import TaskTrace

        self._traces.append(TaskTrace().begin())

    def _give(self, loop: asyncio.AbstractEventLoop, lane: ThreadLane) -> None:
        previous = getattr(loop, "_default_executor", None)
        loop.set_default_executor(LaneExecutor(lane))
        self._given.append((ref(loop), previous))

    def _wrap_new_loops(self) -> None:
        """Have the loops made from now on use our lane: asyncio.run, Runner and pytest make theirs here."""
        original = asyncio.events.new_event_loop

        def new_event_loop() -> asyncio.AbstractEventLoop:
            loop = original()
            if self._wrapper is not None:
                self._give(loop, thread_lane_for(None))
            return loop

        self._factory, self._wrapper = original, new_event_loop
        asyncio.events.new_event_loop = asyncio.new_event_loop = new_event_loop

    def uninstall(self) -> list[str]:
        """Give every loop back an ordinary pool, and return the names of those that could not be reached.

        Calls under way are finished where they are. A loop can't be reached when another thread runs it: its executor
        is exchanged from its own thread only. Calling it twice does no harm.
        """
        with _lock:
            # Where somebody has wrapped ours since, ours stays below his and does nothing from now on.
            if self._factory is not None and asyncio.events.new_event_loop is self._wrapper:
                asyncio.events.new_event_loop = asyncio.new_event_loop = self._factory
            self._factory = self._wrapper = None
            given, self._given = self._given, []
            traces, self._traces = self._traces, []
        for trace in traces:
            trace.end()
        missed: list[str] = []
        for loop_ref, previous in given:
            loop = loop_ref()
            if loop is None or loop.is_closed():
                continue
            if loop.is_running() and loop is not _running():
                missed.append(repr(loop))
            else:
                loop.set_default_executor(previous or ThreadPoolExecutor(thread_name_prefix="asyncio"))
        return missed

    def __enter__(self) -> Installed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.uninstall()


def install(*, trace_locks: bool = False, trace_tasks: bool = False) -> Installed:
    """Make linecook's thread lane the default executor: ``asyncio.to_thread`` and all who use it stop starving.

    Inside a running loop it is that loop's; before any loop runs, that of every loop made from now on by
    ``asyncio.run``, ``asyncio.Runner`` or ``asyncio.new_event_loop`` (a loop made by its own factory, such as
    ``uvloop.new_event_loop``, is not among them: call ``install()`` inside it).

    Args:
      trace_locks: also note who holds asyncio's locks and semaphores, however they were taken, who set and cleared its
        events, and locks taken in both orders: ``acquire``, ``release``, ``set`` and ``clear`` of asyncio's classes
        are exchanged for ones that take note and call the original. Without it
        ``linecook.observe.diagnose`` knows the holders that use ``async with``. Not seen: what was taken before, locks
        of threads, and those of other libraries that don't use asyncio's.
      trace_tasks: also note which line makes each task: ``create_task`` of asyncio's loops, and of uvloop's if that is
        imported, is exchanged for one that takes note and calls the original. ``linecook.observe.diagnose`` then tells
        it of each wait, and of each task left behind. Not seen: tasks made before, and by ``asyncio.Task`` itself.
        Every task then costs a little more (benchmarks: detectors).

    Returns:
      an object whose ``uninstall()`` reverses it.

    The default pool has ``min(32, CPUs + 4)`` threads, which name look-ups need too: six hung calls stop everything,
    and the process never exits. The lane grows past hung calls, and never delays the exit.
    """
    installed = Installed()
    loop = _running()
    with _lock:
        if loop is not None:
            installed._give(loop, thread_lane_for(loop))  # pyright: ignore[reportPrivateUsage]
        else:
            installed._wrap_new_loops()  # pyright: ignore[reportPrivateUsage]
    if trace_locks:
        installed._trace_locks()  # pyright: ignore[reportPrivateUsage]
    if trace_tasks:
        installed._trace_tasks()  # pyright: ignore[reportPrivateUsage]
    return installed


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
