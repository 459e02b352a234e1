"""``diagnose``: a look at every task of one event loop, or of all, from the inside or from another thread."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..live.showing import due_fanouts
from ..place import Spot
from .cancels import cancellation_of
from .diagnosis import Deadlock, Diagnosis, Holder, TaskWait
from .graph import Graph
from .idle import what_is_left
from .left import left_among
from .leftovers import left_of_scopes
from .noted import holders_noted, last_said, orders_found
from .posts import LOCKS, Post, look_at
from .reach import can_be_judged, unreachable
from .sightings import SIGHTINGS, all_tasks
from .words import (
    AS_FAR_AS_SEEN,
    count_of,
    cure_of,
    hint_for,
    holds_of,
    made_noted,
    may_be_held_unseen,
    may_be_lost,
    name_of,
    place_of,
    taken_at,
    what_of,
)

MOST = 20
"""How many of each kind are told closely."""


def diagnose(loop: asyncio.AbstractEventLoop | None = None, *, most: int = MOST) -> Diagnosis:
    """Return who waits on what just now, since when, held by whom, and what is stuck; ``print`` it to read it.

    Args:
      loop: one event loop; None: all that this process has.
      most: how many tasks of each kind are told closely, ≥ 1; the others are counted.

    Nothing is stopped, woken or changed. From any thread: a task, a callback, a signal handler, a debugger; with no
    event loop, or a closed one, it says so. The more tasks there are, the longer it takes.

    Raises:
      ValueError: *most* is below 1.

    That a circle of waits is a deadlock when nobody in it can be helped from outside is Holt's (1972); that what nobody
    who still runs can reach will never be signalled is the idea of Saioc, Lee, Møller and Chabbi for Go ("Dynamic
    Partial Deadlock Detection and Recovery via Garbage Collection", ASPLOS 2025).
    """
    if most < 1:
        raise ValueError(f"most={most}: how many tasks of each kind are told closely, 1 or more")
    tasks = all_tasks()
    if loop is not None:
        tasks = [task for task in tasks if task.get_loop() is loop]
    return Found(tasks, most, loop).diagnosis()


_NOTHING_LEFT = "Its event loop has nothing left to do; only another thread, or a cancellation, could wake it"
_NOBODY_HAS_IT = "Nobody who can still run has it, so nobody will; only a cancellation ends the wait"


class Found:
    """What a look at some tasks has found.

    Attributes:
      graph: who waits for whom.
    """

    def __init__(self, tasks: Iterable[asyncio.Task[Any]], most: int, loop: asyncio.AbstractEventLoop | None) -> None:
        known = list(tasks)
        self._done = [task for task in known if task.done()]
        alive = [task for task in known if not task.done()]
        self._waiting = SIGHTINGS.look(alive)
        self._most = most
        self._loop = loop
        self.graph = Graph(look_at(task) for task in alive)
        self._told: set[asyncio.Task[Any]] = set()
        self._hidden = 0
        self._notes: list[str] = []
        self._blind: list[str] = []

    def diagnosis(self) -> Diagnosis:
        """Return it as records."""
        posts = list(self.graph.posts.values())
        lost = self._lost(posts)
        deadlocks = [deadlock for _, deadlock in self.deadlocks()]
        unwakeable = self._unwakeable(lost)
        cancellations = [one for post in posts if (one := cancellation_of(post)) is not None]
        left = left_among(posts, self._done, [task for task, _ in left_of_scopes(list(self.graph.posts))])
        counts = Counter(count_of(post) for post in posts).most_common()
        return Diagnosis(
            os.getpid(),
            time.time(),
            len(posts),
            deadlocks=self._first(deadlocks),
            unwakeable=self._first(unwakeable),
            waits=tuple(self._longest(posts)),
            counts=self._first(counts),
            cancellations=self._first(cancellations),
            left=self._first(left),
            orders=self._first(orders_found()),
            notes=tuple(self._notes),
            blind=tuple(self._blind),
            hidden=self._hidden,
        )

    def _first(self, found: list[Any]) -> tuple[Any, ...]:
        self._hidden += max(0, len(found) - self._most)
        return tuple(found[: self._most])

    def deadlocks(self) -> list[tuple[list[asyncio.Task[Any]], Deadlock]]:
        """Return the circles of waits, as tasks and as they are told."""
        circles = self.graph.circles()
        found: list[tuple[list[asyncio.Task[Any]], Deadlock]] = []
        for circle in circles:
            posts = _from_a_lock([self.graph.posts[task] for task in circle])
            nexts = [*posts[1:], posts[0]]
            waits = tuple(self.wait(post, following) for post, following in zip(posts, nexts, strict=True))
            ends = [wait.ends_in for wait in waits if wait.ends_in is not None]
            behind = self.graph.count_behind(circle)
            found.append((circle, Deadlock(waits, behind, min(ends, default=None), cure_of(posts))))
            self._told.update(circle)
        return found

    # -- what nobody can wake ----------------------------------------------------------------------------------------

    def _lost(self, posts: list[Post]) -> dict[asyncio.Task[Any], str]:
        """Return the waits that nothing can end, and why: loops with nothing left to do, and what nobody can reach."""
        idle = self._tasks_of_idle_loops(posts)
        unreached = self._unreachable(posts)
        idle = [task for task in idle if may_be_lost(self.graph.posts[task])]
        self.graph.note_lost(dict.fromkeys([*unreached, *idle]))
        return dict.fromkeys(idle, _NOTHING_LEFT) | dict.fromkeys(unreached, _NOBODY_HAS_IT)

    def _unwakeable(self, lost: dict[asyncio.Task[Any], str]) -> list[TaskWait]:
        posts = [self.graph.posts[task] for task in lost if task not in self._told and not self.graph.needs.get(task)]
        self._told.update(post.task for post in posts)
        why = {id(post): f"{lost[post.task]}. {hint_for(post)} {self._known_of(post)}".strip() for post in posts}
        return [replace(self.wait(post), why=why[id(post)], alike=alike) for post, alike in self._grouped(posts)]

    def _grouped(self, posts: list[Post]) -> list[tuple[Post, int]]:
        """Return of those that wait for the same at the same line the one that waits longest, and how many more do."""
        since = {id(task): at for task, at in self._waiting}
        groups: dict[Any, list[Post]] = {}
        for post in posts:
            same_holders = tuple(id(other.task) for other, _ in self.graph.holders_of(post.thing))
            groups.setdefault((post.spot, post.code, what_of(post), same_holders), []).append(post)

        def began(post: Post) -> float:
            return since.get(id(post.task), 0.0)

        firsts = [(min(each, key=began), len(each) - 1) for each in groups.values()]
        return sorted(firsts, key=lambda first: began(first[0]))

    def _tasks_of_idle_loops(self, posts: list[Post]) -> list[asyncio.Task[Any]]:
        in_lanes = {post.task.get_loop() for post in posts if post.word == "lane"}
        found: list[asyncio.Task[Any]] = []
        for loop in {post.task.get_loop() for post in posts}:
            tasks = [post.task for post in posts if post.task.get_loop() is loop]
            if loop.is_closed():
                self._notes.append(f"an event loop was closed with {len(tasks):,} of its tasks alive: they never end")
                found += tasks
            elif not loop.is_running():
                self._notes.append(f"an event loop with {len(tasks):,} tasks isn't running just now")
            elif loop not in in_lanes and what_is_left(loop) == "":
                self._notes.append(
                    "the event loop has nothing left to do: no timer, no socket, no signal, no thread at work"
                )
                found += tasks
        return found

    def _unreachable(self, posts: list[Post]) -> list[asyncio.Task[Any]]:
        if not any(may_be_lost(post) for post in posts):
            return []
        foreign = any(not can_be_judged(post.task.get_loop()) for post in posts)
        found = None if foreign else unreachable(post.task for post in posts if post.is_waiting)
        if found is None:
            why = "the event loop is not asyncio's own" if foreign else "the program is too large to be searched"
            self._blind.append(f"who else has an Event or a Queue that somebody waits for: {why}")
            return []
        return [task for task in found if may_be_lost(self.graph.posts[task])]

    # -- in words ----------------------------------------------------------------------------------------------------

    def wait(self, post: Post, following: Post | None = None) -> TaskWait:
        """Return one wait as it is told; of several holders *following* comes first."""
        holding = holds_of(self.graph, post)
        if following is not None:
            holding.sort(key=lambda one: one[0] is not following)
        holders = tuple(
            Holder(name_of(other), taken_at(held) if held is not None else place_of(other.spot))
            for other, held in holding[:3]
        )
        why = f"and {len(holding) - 3:,} more" if len(holding) > 3 else self._known_of(post) if not holding else ""
        if following is not None and post.word == "Semaphore.acquire" and may_be_held_unseen(post.thing):
            why = f"{why}{'; ' if why else ''}{AS_FAR_AS_SEEN}"
        return TaskWait(
            name_of(post),
            what_of(post),
            place_of(post.spot),
            SIGHTINGS.since(post.task),
            self._ends_in(post),
            holders,
            why,
            made_at=made_noted(post.task),
        )

    def _known_of(self, post: Post) -> str:
        """Return what a trace knows of a thing that nobody alive holds."""
        gone = [taken for taken in holders_noted(post.thing) if (task := taken.task()) is None or task.done()]
        if gone:
            return f"taken by {gone[0].name} at {place_of(Spot(gone[0].code, gone[0].line))}, which has ended"
        said = last_said(post.thing)
        if said is None:
            return ""
        what, who, code, line = said
        return f"{what} last by {who} at {place_of(Spot(code, line))}"

    def _ends_in(self, post: Post) -> float | None:
        left = [due.at - due.clock.time() for due in post.deadlines]
        if post.calls:
            fanouts = due_fanouts(post.task.get_loop())
            above: Any = post.calls[-1] if fanouts else None
            while above is not None:
                if above in fanouts:
                    left.append(fanouts[above] - post.task.get_loop().time())
                above = above.parent
        return max(0.0, min(left)) if left else None

    def _longest(self, posts: list[Post]) -> list[TaskWait]:
        others = [post for post in posts if post.is_waiting and post.task not in self._told]
        groups = self._grouped(others)
        groups.sort(key=lambda group: not self.graph.holders_of(group[0].thing))  # those that somebody keeps waiting
        self._hidden += max(0, len(groups) - self._most)
        return [replace(self.wait(post), alike=alike) for post, alike in groups[: self._most]]


def _from_a_lock(circle: list[Post]) -> list[Post]:
    """Return *circle* beginning with a wait for something that is held, which is what a reader knows to look for."""
    start = next((place for place, post in enumerate(circle) if post.word in LOCKS), 0)
    return [*circle[start:], *circle[:start]]
