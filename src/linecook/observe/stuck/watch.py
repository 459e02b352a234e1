"""The stuck watch: notices from the watch thread when a circle of waits has closed, or a loop has nothing left to do.

It looks twice a second at which future each task waits for, and closely only at those that wait for the same one for a
second; the loop is neither woken nor asked. A deadlock doesn't pass, so it is found late rather than dearly: a look may
cost a 500th of the time to the next (benchmarks: detectors).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..pulse import PULSE, Pulse, Wake
from ..voice import Voice

if TYPE_CHECKING:
    from .diagnosis import Deadlock

OFTEN = 0.5
"""Seconds between two looks, at the least."""

LONG = 1.0
"""Seconds that a task must wait for one and the same thing before it is looked at closely."""

_SHARE = 500  # a look may cost a 500th of the time to the next one
_MOST_NEW = 300  # tasks that are looked at closely for the first time in one look

Mark = tuple[int, int]


class StuckWatch:
    """Watches any number of loops; lives from the first ``watch`` to the last unwatch."""

    def __init__(self, *, pulse: Pulse = PULSE, often: float = OFTEN, long: float = LONG) -> None:
        self._pulse = pulse
        self._often = often
        self._long = long
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[asyncio.AbstractEventLoop, Callable[[str, Deadlock | None], None]]] = {}
        self._stop: Callable[[], None] | None = None
        self._looked: set[Mark] = set()
        self._told: set[frozenset[Mark]] = set()
        self._idle: set[int] = set()
        self._has_waited = False

    def watch(
        self, loop: asyncio.AbstractEventLoop, on_found: Callable[[str, Deadlock | None], None] | None = None
    ) -> Callable[[], None]:
        """Watch *loop*; the returned function ends that.

        Args:
          on_found: told in words of each deadlock, once, with its record; and when the loop has nothing left to do,
            with None. On the watch thread; must be quick. None: the log is told.
        """
        number = id(loop)
        with self._lock:
            self._watched[number] = loop, on_found or _speak
            if self._stop is None:
                self._stop = self._pulse.add(self._beat)

        def unwatch() -> None:
            with self._lock:
                self._watched.pop(number, None)
                if not self._watched and self._stop is not None:
                    self._stop()
                    self._stop = None

        return unwatch

    def _beat(self, _wake: Wake) -> float:
        began = time.thread_time()
        if self._has_waited:
            self.look()
        self._has_waited = True  # a program that has just begun needs its time for itself, and isn't stuck
        return max(self._often, _SHARE * (time.thread_time() - began))

    def look(self) -> None:
        """Take a look."""
        from .graph import Graph  # here: imported on the watch thread, by programs that last so long
        from .posts import look_at, waiter_of
        from .sightings import SIGHTINGS, all_tasks

        with self._lock:
            watched = dict(self._watched)
        if not watched:
            return
        tasks = [task for task in all_tasks() if id(task.get_loop()) in watched]
        long_ago = time.monotonic() - self._long
        waits = {task: since for task, since in SIGHTINGS.look(tasks) if since <= long_ago}
        marks = {(id(task), id(waiter_of(task))): task for task in waits}
        self._looked &= marks.keys()
        self._told = {circle for circle in self._told if circle <= marks.keys()}
        fresh = [mark for mark in marks if mark not in self._looked][:_MOST_NEW]
        self._looked.update(fresh)
        # A circle closes when the last of its tasks begins to wait: where nobody new waits for others, none has.
        if fresh and Graph(look_at(marks[mark]) for mark in fresh).needs:
            self._look_for_circles(list(waits), tasks, watched)
        self._look_for_idle(watched, waits, len(tasks))

    def _look_for_circles(self, long: list[Any], tasks: list[Any], watched: dict[int, Any]) -> None:
        from .diagnose import Found
        from .graph import Graph
        from .posts import look_at, waiter_of

        if not Graph(look_at(task) for task in long).stuck:
            return
        found = Found(tasks, 20, None)  # with those who hold something and go on
        for circle, deadlock in found.deadlocks():
            mark = frozenset((id(task), id(waiter_of(task))) for task in circle)
            if mark in self._told or (deadlock.ends_in is not None and deadlock.ends_in < self._long):
                continue
            self._told.add(mark)
            _, tell = watched.get(id(circle[0].get_loop()), (None, _speak))
            tell(str(deadlock), deadlock)

    def _look_for_idle(self, watched: dict[int, Any], waits: dict[Any, float], alive: int) -> None:
        from .diagnose import Found
        from .idle import what_is_left

        idle: set[int] = set()
        for number, (loop, tell) in watched.items():
            waiting = [task for task in waits if task.get_loop() is loop]
            if not waiting or what_is_left(loop) != "":
                continue
            idle.add(number)
            if number not in self._idle and not self._told:
                found = Found(asyncio.all_tasks(loop), 3, loop).diagnosis()
                tell(f"the event loop has nothing left to do, and its tasks wait:\n{found}", None)
        self._idle = idle


_VOICE = Voice()


def _speak(words: str, deadlock: Deadlock | None) -> None:
    _VOICE.say(words.partition("\n")[0], lambda: words)
