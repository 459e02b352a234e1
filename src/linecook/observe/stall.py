"""The stall watch: says which line keeps an event loop from everything else, seen from a thread of its own.

A *stall* is one step of a loop (one run of one callback, a task's way from one await to the next) that lasts longer
than a threshold. The watch looks at the frames of the loop's thread, some twenty to forty times a second; a loop that
waits is never woken, and the program's code is never entered.

What is no stall: a stop in a debugger; time in which the watch thread itself was late without having waited for the
interpreter (a stopped or suspended process, a machine given to others). Time is ``time.monotonic()``, also where a
loop lives in virtual time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from .._core.context import Frame
from .._core.events import Events
from .._core.stacks import stacks_of_others
from .cpuclock import CPUClocks
from .pulse import PULSE, Pulse, Wake
from .voice import Voice
from .watched import Stall, WatchedLoop


class StallWatch:
    """Watches any number of loops from the watch thread, which lives from the first ``watch`` to the last unwatch."""

    def __init__(self, *, pulse: Pulse = PULSE) -> None:
        self._pulse = pulse
        self._lock = threading.RLock()
        self._watched: list[WatchedLoop] = []
        self._stop: Callable[[], None] | None = None
        self._clocks = CPUClocks()

    def watch(
        self,
        loop: asyncio.AbstractEventLoop,
        thread_ident: int | None = None,
        threshold: float = 0.1,
        on_stall: Callable[[Stall], None] | None = None,
        *,
        events: Events | None = None,
        whose: Callable[[asyncio.AbstractEventLoop], str | None] | None = None,
        on_busy: Callable[[Frame, float, float], None] | None = None,
    ) -> Callable[[], None]:
        """Watch *loop*; the returned function ends that, and first reports a stall that is going on.

        Args:
          loop: asyncio's own, a subclass, or another such as uvloop's.
          thread_ident: ``threading.get_ident()`` of the thread that runs it; None: the calling one.
          threshold: seconds, > 0, that one step may last. What lasts 1.5 times as long is always seen, what lasts less
            than the threshold never is.
          on_stall: told of each stall when it has ended, and of one that lasts a second once before that; on the
            watch thread (on the caller's, when unwatching ends the stall); must be quick. None: the log is told, at
            most once per place and second.
          events: also told, ``stall.began`` and ``stall.ended``, with ``stall=``, ``place=``, ``whose=`` and
            ``duration=``.
          whose: names what runs in *loop*; None: the path of the linecook call under way is found by itself (not on
            uvloop with Python 3.11, where a task doesn't tell its context).
          on_busy: told at each look that finds the loop busy which call it is busy with, the seconds since the last
            look and the CPU seconds the loop's thread used: samples, of which many make an estimate. On the watch
            thread; must be quick.

        Raises:
          ValueError: *threshold* isn't a number > 0.
        """
        if not threshold > 0:
            raise ValueError(f"threshold={threshold!r}: seconds, > 0; for no watch at all, Runtime(stall=None)")
        ident = threading.get_ident() if thread_ident is None else thread_ident
        watched = WatchedLoop(loop, ident, threshold, on_stall or speak, events, whose, self._clocks, on_busy)
        with self._lock:
            self._watched.append(watched)
            if self._stop is None:
                self._stop = self._pulse.add(self._look)

        def unwatch() -> None:
            with self._lock:
                if watched not in self._watched:
                    return
                self._watched.remove(watched)
                if not self._watched and self._stop is not None:
                    self._stop()
                    self._stop = None
                watched.end()
                _VOICE.flush(all_of_it=not self._watched)

        return unwatch

    def _look(self, wake: Wake) -> float:
        with self._lock:
            frames = stacks_of_others()
            delays = [watched.look(wake, frames.get(watched.ident)) for watched in self._watched]
            _VOICE.flush()
        return min(delays, default=1.0)


_VOICE = Voice()


def speak(stall: Stall) -> None:
    """Say *stall* to the log, at most once per place and second; what ``watch`` does when no ``on_stall`` is given."""
    _VOICE.say((stall.place.file, stall.place.line), lambda: str(stall))
