"""The threads of a lane: they come when needed, park when idle, multiply when stuck, and go home.

A crew knows nothing of jobs. It is given a queue, of which it asks only whether something waits in it, and the function
its workers run; that function calls ``park`` when it finds nothing to do. The monitor, one more thread, sleeps without
any wake-up while nothing waits; else it looks every few milliseconds after what the workers' guesses got wrong.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sized

from .._core.errors import UsageError
from .._core.events import Events
from .._core.stacks import stacks_of_others

DUE = 0.001
"""Seconds for which the result of a short body may wait for company."""
STALLED = 0.010
"""Seconds without any body ending, while jobs wait, after which the crew grows by half."""
HOPELESS = 0.2
"""Seconds after which a woken worker that hasn't come to look at the queue isn't counted on any more."""
IDLE = 10.0
"""Seconds after which an idle worker goes home, when more than ``RESERVE`` are idle."""
RESERVE = 8

_log = logging.getLogger("linecook")
_here = threading.local()
_LIBRARY = (os.path.dirname(os.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep, "<frozen")


class Worker:
    """One thread of a crew; it parks on a lock of its own, so that a wake names exactly one thread.

    A daemon: the interpreter's exit waits for none of them, hung or not. ``last_word`` is called once when it parks.
    """

    __slots__ = ("endings", "last_word", "lock", "thread")

    def __init__(self, name: str, serve: Callable[[Worker], None]) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()
        self.endings: list[Callable[[], object]] = []
        self.last_word: Callable[[], None] | None = None
        self.thread = threading.Thread(target=self._run, args=(serve,), name=name, daemon=True)

    @property
    def ident(self) -> int:
        """The thread's ``threading.get_ident()``; 0 before it runs."""
        return self.thread.ident or 0

    @property
    def line(self) -> str:
        """``file:line in function`` of the innermost frame that is neither the standard library's nor ours."""
        own = self.ident == threading.get_ident()
        innermost = frame = sys._getframe(1) if own else stacks_of_others().get(self.ident)
        while frame is not None and frame.f_code.co_filename.startswith(_LIBRARY):
            frame = frame.f_back
        frame = frame or innermost
        return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}" if frame else "unknown"

    def _run(self, serve: Callable[[Worker], None]) -> None:
        _here.worker = self
        serve(self)

    def close(self) -> None:
        """Close what belongs to this thread, last opened first; on the thread itself."""
        while self.endings:
            ending = self.endings.pop()
            try:
                ending()
            except BaseException:
                _log.exception("closing what belonged to %s failed (%r)", self.thread.name, ending)


class Crew:
    """Workers of one lane.

    Attributes:
      bound: how many may work by now; lost ones don't count.
      workers: all there are, lost ones included.
      idle: those that are parked, the last one parked at the end.
      lost: those whose body was given up and runs on.
      leaving: those that are closing what belonged to them, on their way home.
      stirred: a worker was woken and hasn't looked at the queue yet; whoever queues a job meanwhile wakes no other.
      watching: the monitor is up.
      last_end: when a body last ended, ``time.monotonic()`` seconds; written by whoever serves.
    """

    def __init__(
        self,
        *,
        threads: int,
        max_threads: int,
        queue: Sized,
        serve: Callable[[Worker], None],
        flush: Callable[[], None],
        events: Events | None,
    ) -> None:
        self._threads = threads
        self._max_threads = max_threads
        self._queue = queue
        self._serve = serve
        self._flush = flush
        self._events = events
        self._lock = threading.Lock()
        self._named = 0
        self._closed = False
        self._alarm = threading.Event()
        self._monitor: threading.Thread | None = None
        self.bound = threads
        self.workers: set[Worker] = set()
        self.idle: list[Worker] = []
        self.lost: set[Worker] = set()
        self.leaving: set[Worker] = set()
        self.stirred = False
        self.watching = False
        self.last_end = 0.0

    @property
    def working(self) -> int:
        """How many workers there are, idle ones included, lost ones not."""
        return len(self.workers) - len(self.lost)

    def stir(self) -> bool:
        """Wake the worker parked last (its stack is warm), or start one, or have the monitor look; never blocks long.

        Returns:
          False when there is no worker at all and the system gives none.
        """
        if self.idle:
            self.stirred = True
            try:
                self.idle.pop().lock.release()
            except IndexError:  # another thread was faster, and what it wakes sees our job too
                self.stirred = False
            else:
                return True
        if self.working < self.bound:
            self.stirred = True
            if self._start():
                return True
            self.stirred = False
        if not self.watching:
            self.watch()
        return self.working > 0

    def park(self, me: Worker) -> bool:
        """Wait for work, on *me*'s own thread; False when it shall go home, all that belonged to it closed."""
        self.idle.append(me)
        if me.last_word is not None:
            # Only now that it can be woken: who is told of its last result, and has more work, finds this very thread
            # still awake (benchmarks: thread_latency, 1.56 of to_thread's rate against 0.85).
            me.last_word()
            me.last_word = None
        # Look again after lying down: whoever queued a job, or closed the crew, just before saw nobody to wake.
        if not (self._queue or self._closed) or not self._unpark(me):
            woken = me.lock.acquire(timeout=IDLE)
            if not woken:
                if self._may_leave(me):
                    return self._leave(me)
                me.lock.acquire()
            self.stirred = False
        return not self._closed or bool(self._queue) or self._leave(me)

    def lose(self, worker: Worker) -> None:
        """Count *worker* as lost, so that another may be started in its place."""
        with self._lock:
            self.lost.add(worker)

    def regain(self, me: Worker) -> bool:
        """Count *me* as working again, on its own thread; False when there are enough without it, and it shall go."""
        with self._lock:
            known = me in self.lost  # not so in a forked child, whose crew is a new one
            self.lost.discard(me)
            useful = known and self.working <= self.bound
        return useful or self._leave(me)

    def watch(self) -> None:
        """Have the monitor look, until nothing waits any more."""
        self.watching = True
        with self._lock:
            self._alarm.set()
            if self._monitor is not None:
                return
            alarm = self._alarm
            crew = weakref.ref(self, lambda _: alarm.set())
            monitor = threading.Thread(target=_watch, args=(crew, alarm), daemon=True, name="linecook-thread-monitor")
            try:
                monitor.start()
            except RuntimeError:  # the system gives no more threads: the next one who asks tries again
                self.watching = False
            else:
                self._monitor = monitor

    def look(self, since: float) -> float:
        """Put right what workers guessed wrong; return seconds until the next look, 0.0 when nothing waits.

        Args:
          since: when this watch began, ``time.monotonic()`` seconds.
        """
        self._flush()
        if not self._queue:
            return 0.0
        still = time.monotonic() - max(self.last_end, since)
        if self.stirred and still < HOPELESS:
            return DUE  # a worker is on its way and has to wait for the interpreter: more threads would only wait too
        if self.idle or self.working < self.bound:
            if still > DUE:
                self.stir()
            return DUE
        if still > STALLED:
            self._grow()
        return STALLED

    def close(self, wait: float, busy: Callable[[], set[Worker | None]]) -> None:
        """Send idle workers home, and the others when they find nothing to do; *wait* seconds for all not *busy*."""
        self._closed = True
        while self.idle:
            try:
                self.idle.pop().lock.release()
            except IndexError:  # one was woken meanwhile, and will see the flag
                break
        if self._monitor is not None:
            self.watch()  # it goes home too
        deadline = time.monotonic() + wait
        while (left := deadline - time.monotonic()) > 0:
            leaving = (self.workers - self.lost - busy()) | self.leaving
            if not leaving:
                break
            thread = leaving.pop().thread
            if thread.ident is None:  # it is on the list and will start in this very moment
                time.sleep(0.001)
            else:
                thread.join(min(left, STALLED))

    def monitor_leaves(self) -> bool:
        """Let the monitor go home with a closed crew, unless it has been called again."""
        with self._lock:
            if not self._closed or self._alarm.is_set():
                return False
            self._monitor = None
            return True

    def _start(self) -> bool:
        with self._lock:
            if self.working >= self.bound:
                return False
            self._named += 1
            worker = Worker(f"linecook-thread-{self._named}", self._employ)
            self.workers.add(worker)
        try:
            worker.thread.start()
        except RuntimeError:
            with self._lock:
                self.workers.discard(worker)
                self.bound = max(1, min(self.bound, self.working))
            _log.warning("the system gives no more threads; the thread lane goes on with %d", self.working)
            return False
        return True

    def _employ(self, me: Worker) -> None:
        """Be a worker's whole life; one that an exception thrown in from outside takes away is replaced."""
        try:
            self._serve(me)
        except BaseException:
            _log.exception("%s was ended by an exception from outside; another takes its place", me.thread.name)
            self._unpark(me)
            self.lost.discard(me)
            self._leave(me)
            self.stirred = False
            if self._queue:
                self.stir()

    def _grow(self) -> None:
        """Start one worker, of half as many more if need be; it starts the next if its body may block, and so on."""
        if self.working >= self.bound:
            if self.bound >= self._max_threads:
                return
            self.bound = min(self._max_threads, self.bound + max(1, self.bound // 2))
            if self._events is not None and self._events.heard:
                self._events.emit("lane.grew", lane="thread", threads=self.bound)
        self.stir()

    def _unpark(self, me: Worker) -> bool:
        """Take *me* from the idle; False when somebody else has, who then releases its lock."""
        try:
            self.idle.remove(me)
        except ValueError:
            return False
        return True

    def _may_leave(self, me: Worker) -> bool:
        """After a long idle time: take *me* from the idle if enough others are left."""
        with self._lock:
            if len(self.idle) <= RESERVE or not self._unpark(me):
                return False
            self.bound = max(self._threads, min(self.bound, self.working - 1))
            return True

    def _leave(self, me: Worker) -> bool:
        """Go home; always False: there is no more to look for."""
        with self._lock:
            self.workers.discard(me)
            self.leaving.add(me)
        me.close()
        with self._lock:
            self.leaving.discard(me)
        return False


def at_thread_end(callback: Callable[[], object]) -> None:
    """Call *callback* on this very thread when it leaves its lane; last registered, first called.

    For what is opened once per thread. A callback that raises is logged, and the others are called all the same. At
    interpreter exit threads don't leave, they are dropped; close the lane first where that matters.

    Raises:
      UsageError: this isn't a thread of a thread lane.
    """
    worker: Worker | None = getattr(_here, "worker", None)
    if worker is None:
        raise UsageError(
            f"at_thread_end({callback!r}) was called on {threading.current_thread().name!r}, which is no thread of a "
            "thread lane; call it inside the body of a tool that runs on a thread."
        )
    worker.endings.append(callback)


def _watch(of: weakref.ref[Crew], alarm: threading.Event) -> None:
    """Be the monitor of a crew, which it doesn't keep alive."""
    while True:
        alarm.wait()
        alarm.clear()
        since = time.monotonic()
        pause = DUE
        while pause:
            time.sleep(pause)
            crew = of()
            if crew is None:
                return
            pause = crew.look(since)
            if not pause:
                crew.watching = False
                pause = crew.look(since)  # for what came before the flag fell
                crew.watching = bool(pause)
                if not pause and crew.monitor_leaves():
                    return
            del crew
