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
from .sightings import SIGHTINGS, all_tasks, waiter_of

if TYPE_CHECKING:
    from .diagnosis import Deadlock

OFTEN = 0.5
"""Seconds between two looks, at the least."""

LONG = 1.0
"""Seconds that a task must wait for one and the same thing before it is looked at closely."""

_SHARE = 500  # a look may cost a 500th of the time to the next one
_LONGEST = 8.0  # seconds between two looks: a collection of garbage in one of them mustn't keep the next one away
_MOST_NEW = 300  # tasks that are looked at closely for the first time in one look

also: list[Callable[[], None]] = []
"""What else is to be looked for whenever the watch looks; quick, and from the watch thread."""

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
        self._expected = 0.0  # seconds that a look takes, by the last one
        self._importing = 0.0  # seconds of the look under way that come once and never again

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
                    self._stop, self._has_waited, self._expected = None, False, 0.0

        return unwatch

    def _beat(self, _wake: Wake) -> float:
        if not self._has_waited:  # a program that has just begun needs its time for itself, and isn't stuck
            self._has_waited = True
            return self._often
        began = time.thread_time()
        self.look()
        spent, expected = time.thread_time() - began - self._importing, self._expected
        self._importing = 0.0
        self._expected = spent
        # The next look is paid for in advance, and what this one cost more than was expected: else a program of a few
        # seconds, in which the number of tasks grows, would pay three times its share (benchmarks: detectors).
        return max(self._often, min(_LONGEST, _SHARE * (spent + max(0.0, spent - expected))))

    def look(self) -> None:
        """Take a look."""
        with self._lock:
            watched = dict(self._watched)
        if not watched:
            return
        for look in also:
            look()
        everything = all_tasks()
        long = SIGHTINGS.long(everything, self._long)
        waits = {task: since for task, since in long.items() if id(task.get_loop()) in watched}
        tasks = [task for task in everything if id(task.get_loop()) in watched] if waits else []
        if waits:
            self._look_closely(watched, waits, tasks)
        else:
            self._looked, self._told, self._idle = set(), set(), set()

    def _look_closely(self, watched: dict[int, Any], waits: dict[Any, float], tasks: list[Any]) -> None:
        began = time.thread_time()
        from .graph import Graph  # here and below: imported on the watch thread, by programs in which somebody waits
        from .leftovers import LEFTOVERS
        from .posts import look_at

        self._importing = time.thread_time() - began
        marks = {(id(task), id(waiter_of(task))): task for task in waits}
        self._looked &= marks.keys()
        self._told = {circle for circle in self._told if circle <= marks.keys()}
        fresh = [mark for mark in marks if mark not in self._looked][:_MOST_NEW]
        self._looked.update(fresh)
        # A circle closes when the last of its tasks begins to wait: where nobody new waits for others, none has.
        posts = [look_at(marks[mark]) for mark in fresh]
        LEFTOVERS.look_at_calls(posts, tasks)
        if Graph(posts).needs:
            self._look_for_circles(list(waits), tasks, watched)
        self._look_for_idle(watched, waits)

    def _look_for_circles(self, long: list[Any], tasks: list[Any], watched: dict[int, Any]) -> None:
        from .diagnose import Found
        from .graph import Graph
        from .posts import look_at

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

    def _look_for_idle(self, watched: dict[int, Any], waits: dict[Any, float]) -> None:
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
