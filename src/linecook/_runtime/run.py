"""``run``: a whole program on one runtime, with Ctrl-C as people expect it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal, TypeVar

from .._core.callframe import call_from
from .._core.errors import UsageError
from .._core.supervise import end_all_tasks, supervisor_of
from .quit import take_quit
from .runtime import Runtime

T = TypeVar("T")
_log = logging.getLogger("linecook")

# A fleet of agents is a mass of young objects that all live: collecting every 700 of them costs 43 % of a fan-out's
# CPU (benchmarks: fanout_100k). The old generations keep their pace.
_GC_YOUNG = 50_000

_MOST_LEFT = 5  # tasks left behind that are told one by one
_PATIENCE = 5.0  # seconds for the clean-up of the tasks that the program leaves behind


def run(
    main: Coroutine[Any, Any, T],
    *,
    runtime: Runtime | None = None,
    show: Literal["report"] | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    r"""Run *main* to its end on a new event loop and a runtime of its own, and return its result.

    Args:
      main: a call of an agent or tool, or a plain coroutine.
      runtime: a ``Runtime`` that isn't open yet, for other bounds than the usual; None for a default one.
      show: ``"report"`` prints the placement report to stderr at the end.
      loop_factory: makes the event loop, such as ``uvloop.new_event_loop``; None for asyncio's.

    Raises:
      what *main* raises.
      KeyboardInterrupt: Ctrl-C was pressed and the program has wound down. Its ``result`` attribute holds what *main*
        returned, None when it was cancelled. Left alone, the process ends with 130, as a shell sees it.
      RuntimeError: an event loop runs in this thread already: ``await`` the call instead.

    Ctrl-C once: fan-outs take in no new items, what runs is finished. Twice: everything is cancelled. The third time
    ends the process at once, also inside C code. Ctrl-\ prints to stderr who waits on what and what is stuck (see
    ``linecook.observe.diagnose``), and the program goes on. While the program runs, the garbage collector's first
    threshold is raised. Tasks that *main* leaves behind are cancelled and have 5 s for their clean-up; one that still
    runs then is reported and left. Abandoned threads delay neither the return nor the exit of the interpreter.
    """
    if not isinstance(main, Coroutine):  # pyright: ignore[reportUnnecessaryIsInstance]
        call_from(main)  # raises, saying what to write
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        main.close()
        raise RuntimeError("run() was called inside a running event loop; write 'await' in place of run(...) there")
    if show not in (None, "report"):
        main.close()
        raise UsageError(f"show={show!r} of run: there is 'report', or None")
    return _Program(runtime or Runtime(), show).run(main, loop_factory)


class _Program:
    """One run: its signals, its collector threshold, its runtime."""

    def __init__(self, runtime: Runtime, show: str | None) -> None:
        self._runtime = runtime
        self._show = show
        self._presses = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[Any] | None = None
        self._cancelled = False

    def run(self, main: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> T:
        # Ctrl-C is ours first and last: the collection that follows the old threshold is no place for an interrupt,
        # which Python drops in a weak reference's callback (tests/luck/test_interrupt.py).
        restore = [self._take_ctrl_c(), take_quit(), self._raise_threshold()]
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                self._loop = runner.get_loop()
                if self._presses:  # pressed while the loop was being made
                    self._tell(self._runtime.drain)
                try:
                    try:
                        result = runner.run(self._run(main))
                    finally:
                        if left := asyncio.all_tasks(self._loop):
                            _tell_left(left)
                            runner.run(end_all_tasks(_PATIENCE))
                except asyncio.CancelledError:
                    if not self._cancelled:
                        raise
                    raise _stopped("everything was cancelled", None) from None
        finally:
            main.close()  # where the loop or the runtime was refused, it has not begun
            for undo in reversed(restore):
                undo()
            if self._show == "report":
                print(self._runtime.report(), file=sys.stderr)  # noqa: T201 - asked for
        if self._presses:
            raise _stopped("what ran was finished, nothing new was begun", result)
        return result

    async def _run(self, main: Coroutine[Any, Any, T]) -> T:
        self._main = asyncio.current_task()
        async with self._runtime:
            return await main

    def _raise_threshold(self) -> Callable[[], None]:
        before = gc.get_threshold()
        if before[0]:  # 0 is off, and stays so
            gc.set_threshold(max(before[0], _GC_YOUNG), *before[1:])
        return lambda: gc.set_threshold(*before)

    # -- Ctrl-C --------------------------------------------------------------------------------------------------

    def _take_ctrl_c(self) -> Callable[[], None]:
        """Handle SIGINT, where it is ours to handle: in the main thread, and nobody else's so far."""
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return lambda: None
        signal.signal(signal.SIGINT, self._pressed)

        def restore() -> None:
            if signal.getsignal(signal.SIGINT) in (self._pressed, signal.SIG_DFL):
                signal.signal(signal.SIGINT, signal.default_int_handler)

        return restore

    def _pressed(self, *_: object) -> None:
        self._presses += 1
        if self._presses == 1:
            _say(
                "stopping: nothing new is begun, what runs is finished. Ctrl-C again cancels it, a third ends at once."
            )
            self._tell(self._runtime.drain)
        else:
            # From here on the kernel ends the process, also when C code keeps Python from noticing.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            _say("cancelling everything. Ctrl-C again ends at once.")
            self._tell(self._cancel)

    def _tell(self, what: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _cancel(self) -> None:
        if self._main is not None and not self._main.done():
            self._cancelled = True
            self._main.cancel("shutdown: Ctrl-C")


def _tell_left(tasks: set[asyncio.Task[Any]]) -> None:
    """Say which tasks the program has left behind, with what is known of who made them."""
    from ..observe.stuck.left import left_at_the_end

    known = supervisor_of(next(iter(tasks)).get_loop()).tasks  # which it has spoken of, or will
    left = left_at_the_end(tasks.difference(known))
    for each in left[:_MOST_LEFT]:
        _log.warning("the program has ended and a task is left, which is cancelled now: %s", each)
    if len(left) > _MOST_LEFT:
        _log.warning("and %d more tasks are left", len(left) - _MOST_LEFT)


def _stopped(how: str, result: Any) -> KeyboardInterrupt:
    # The class itself: of a subclass that nobody catches, Python makes exit code 1.
    stopped = KeyboardInterrupt(f"stopped by Ctrl-C: {how}")
    stopped.result = result  # type: ignore[attr-defined]
    return stopped


def _say(text: str) -> None:
    try:
        print(f"\nlinecook: {text}", file=sys.stderr, flush=True)  # noqa: T201 - somebody has pressed Ctrl-C
    except RuntimeError:  # pressed while it was being written to, perhaps by us: past its buffer
        with suppress(OSError):
            os.write(2, f"\nlinecook: {text}\n".encode())
    except (OSError, ValueError):  # it is closed
        return
