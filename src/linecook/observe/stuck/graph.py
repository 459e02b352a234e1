"""Who waits for whom: from where each task stands, who could wake it, who can go on at all, and where a circle closes.

A task that waits can go on when *one* of those it waits for can: any holder of a semaphore may let go, any child of a
group may fail and end the wait. So a circle is reported only when nobody in it, and nobody that anybody in it waits
for, can take another step: the largest set of tasks each of which waits for members of the set only (a *knot*, as
Holt has it: Some Deadlock Properties of Computer Systems, 1972). It can't dissolve by itself; a time-out around one of
the waits, or a cancellation from outside, still may end it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from gc import get_referents
from types import CellType, FunctionType
from typing import Any

from .noted import holders_noted, is_tracing
from .posts import LOCKS, Held, Post, links_with_values

_GATHERING: type = getattr(asyncio.tasks, "_GatheringFuture", asyncio.Task)
_MOST_NEAR = 200  # values of a task, and of one of them, among which something is looked for
_DEEPEST = 4  # futures, one behind the other: shield in shield

Tasks = list[asyncio.Task[Any]]


class Graph:
    """What some tasks, seen at one moment, wait for.

    Attributes:
      posts: by task, where each stands.
      holders: by the id of a thing, who holds it and how; the thing itself is held on to by whoever waits for it.
      needs: by task, those of which one must go on before it can. Of those that aren't named here, somebody else may
        wake the task, or it needs nobody.
      stuck: the tasks that can't go on.
    """

    def __init__(self, posts: Iterable[Post]) -> None:
        self.posts: dict[asyncio.Task[Any], Post] = {post.task: post for post in posts}
        self.holders: defaultdict[int, list[tuple[Post, Held]]] = defaultdict(list)
        for post in self.posts.values():
            for held in post.held:
                self._hold(post, held)
        if is_tracing():
            self._take_from_trace()
        self._lists: dict[int, Tasks] = {}
        self._at_hand: defaultdict[int, set[asyncio.Task[Any]]] | None = None  # by the id of a message, who has it
        self.needs: dict[asyncio.Task[Any], Tasks] = {}
        for post in self.posts.values():
            needs = self._needs(post)
            if needs is not None:
                self.needs[post.task] = needs
        self.stuck = self._find_stuck()

    def _take_from_trace(self) -> None:
        things = {id(post.thing): post.thing for post in self.posts.values() if post.thing is not None}
        for thing in things.values():
            for taken in holders_noted(thing):
                task = taken.task()
                if task in self.posts:
                    self._hold(self.posts[task], Held(thing, taken.code, -1, line=taken.line))

    def _hold(self, post: Post, held: Held) -> None:
        known = self.holders[id(held.thing)]
        for place, (other, how) in enumerate(known):
            if other.task is post.task:
                if held.line and not how.line:  # the trace knows the line
                    known[place] = (post, held)
                return
        known.append((post, held))

    def holders_of(self, thing: Any) -> list[tuple[Post, Held]]:
        """Return who holds *thing*, as far as can be seen."""
        return [] if thing is None else self.holders.get(id(thing), [])

    # -- edges -----------------------------------------------------------------------------------------------------

    def _needs(self, post: Post) -> Tasks | None:
        """Return those of which one must go on; None: it can go on by itself, or nobody knows who may wake it."""
        if not post.is_waiting:
            return None
        if post.word in LOCKS or post.word in ("limit", "edit"):
            return None if self._has_unseen_holders(post.thing) else self._holding(post.thing) or None
        if post.word in _ALWAYS_GO_ON:
            return None
        if post.word in ("reply", "room"):
            return self._handling(post.waiter)
        pending = [one for one in _needed_by(post) if one is not None and not one.done()]
        tasks: Tasks = [one for one in pending if isinstance(one, asyncio.Task)]
        return tasks if tasks and len(tasks) == len(pending) else None  # a bare future may be answered by anybody

    def _handling(self, message: Any) -> Tasks | None:
        """Return who may answer *message*, or make room for it; None: nobody knows, or it is no message."""
        mailbox: Any = getattr(message, "_mailbox", None)
        agent: asyncio.Task[Any] | None = getattr(mailbox, "task", None)
        if agent is None or agent.done() or message in getattr(mailbox._rare, "deferred", ()):
            return None
        at = self.posts.get(agent)
        if at is None or not at.is_waiting or at.word == "message":
            return [agent]  # which can go on
        return [agent, *self._having(message, agent)]

    def _having(self, message: Any, agent: asyncio.Task[Any]) -> Tasks:
        """Return the tasks beside *agent* that have *message* at hand: one of them may be about to answer it."""
        if self._at_hand is None:
            self._at_hand = defaultdict(set)
            for task in self.posts:
                near = [value for _, _, _, values in links_with_values(task) for value in values][:_MOST_NEAR]
                for value in (*near, *(inner for each in near for inner in _inside(each))):
                    if hasattr(value.__class__, "pass_over"):  # a message; that room is above this one
                        self._at_hand[id(value)].add(task)
        having = self._at_hand.get(id(message), ())
        return [task for task in having if task is not agent and self.posts[task].waiter is not message]

    def _has_unseen_holders(self, thing: Any) -> bool:
        """Say whether somebody who isn't known has a slot of *thing*: only a BoundedSemaphore tells how many it has."""
        slots: int | None = getattr(thing, "_bound_value", None) if isinstance(thing, asyncio.Semaphore) else None
        if slots is None:
            return False
        known = sum(max(1, sum(held.thing is thing for held in post.held)) for post, _ in self.holders_of(thing))
        return known < slots

    def _holding(self, thing: Any) -> Tasks:
        """Return the tasks that hold *thing*: one list for all who wait for it, since those may be many thousands."""
        known = self._lists.get(id(thing))
        if known is None:
            known = self._lists[id(thing)] = [other.task for other, _ in self.holders_of(thing)]
        return known

    def _find_stuck(self) -> set[asyncio.Task[Any]]:
        """Take away whoever can go on, and then whoever that helps, until nobody is left to take away."""
        waiting: defaultdict[int, Tasks] = defaultdict(list)  # by the list of those they need
        helps: defaultdict[asyncio.Task[Any], list[int]] = defaultdict(list)
        able = deque(task for task in self.posts if task not in self.needs)
        can_go_on: set[int] = set()
        for task, needs in self.needs.items():
            if id(needs) not in waiting and id(needs) not in can_go_on:
                if any(other not in self.posts for other in needs):  # it was made, or ran on, meanwhile
                    can_go_on.add(id(needs))  # settled at once: a fan-out needs one of 10,000 (benchmarks: detectors)
                else:
                    for other in needs:
                        helps[other].append(id(needs))
            (able if id(needs) in can_go_on else waiting[id(needs)]).append(task)
        gone = set(able)
        while able:
            for needs_of_some in helps.get(able.popleft(), ()):
                freed = [task for task in waiting.pop(needs_of_some, ()) if task not in gone]
                gone.update(freed)
                able.extend(freed)
        return {task for task in self.posts if task not in gone}

    def note_lost(self, lost: Iterable[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
        """Take into account that nobody who can still run will wake *lost*; return those that nobody at all could.

        The others wait for something that another one of *lost* has in hand: he could, and waits himself.
        """
        known = [self.posts[task] for task in lost if task in self.posts]
        posts = [post for post in known if not self.needs.get(post.task)]
        having = _who_has(known, {id(post.thing) for post in posts if post.thing is not None})
        forlorn: set[asyncio.Task[Any]] = set()
        for post in posts:
            self.needs[post.task] = having.get(id(post.thing), _NOBODY)
            if not self.needs[post.task]:
                forlorn.add(post.task)
        self.stuck = self._find_stuck()
        return forlorn

    # -- circles ---------------------------------------------------------------------------------------------------

    def circles(self) -> list[Tasks]:
        """Return a shortest circle of each knot: each task needs the next one, the last one the first."""
        found: list[Tasks] = []
        done: set[asyncio.Task[Any]] = set()
        for knot in self._knots():
            if done.isdisjoint(knot):
                done.update(knot)
                found.append(self._shortest(knot))
        return found

    def count_behind(self, circle: Tasks) -> int:
        """Return how many more tasks are stuck because those of *circle* are."""
        waiting: defaultdict[int, Tasks] = defaultdict(list)
        for task in self.stuck:
            waiting[id(self.needs.get(task))].append(task)
        reached, grew = set(circle), True
        lists = self._needs_of_stuck()
        while grew:
            helped = [needs for needs in lists if not reached.isdisjoint(needs)]
            lists = [needs for needs in lists if reached.isdisjoint(needs)]
            before = len(reached)
            for needs in helped:
                reached.update(waiting[id(needs)])
            grew = len(reached) > before
        return len(reached) - len(circle)

    def _needs_of_stuck(self) -> list[Tasks]:
        """Return the lists of those whom stuck tasks need, each once."""
        return list({id(needs): needs for task in self.stuck if (needs := self.needs.get(task))}.values())

    def _knots(self) -> list[set[asyncio.Task[Any]]]:
        """Return the strongly connected parts of what is stuck that hold a circle (Tarjan's way, without recursion)."""
        order: dict[asyncio.Task[Any], int] = {}
        low: dict[asyncio.Task[Any], int] = {}
        path: Tasks = []
        on_path: set[asyncio.Task[Any]] = set()
        found: list[set[asyncio.Task[Any]]] = []
        needed = {other for needs in self._needs_of_stuck() for other in needs}
        core = self.stuck & needed  # those nobody needs are in no circle, and may be many
        for root in core:
            if root in order:
                continue
            work = [(root, iter(self.needs.get(root, ())))]
            order[root] = low[root] = len(order)
            path.append(root)
            on_path.add(root)
            while work:
                task, rest = work[-1]
                for other in rest:
                    if other not in core:
                        continue
                    if other not in order:
                        order[other] = low[other] = len(order)
                        path.append(other)
                        on_path.add(other)
                        work.append((other, iter(self.needs.get(other, ()))))
                        break
                    if other in on_path:
                        low[task] = min(low[task], order[other])
                else:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[task])
                    if low[task] == order[task]:
                        part = set[asyncio.Task[Any]]()
                        while task not in part:
                            part.add(last := path.pop())
                            on_path.discard(last)
                        if len(part) > 1 or task in self.needs.get(task, ()):
                            found.append(part)
        return found

    def _shortest(self, knot: set[asyncio.Task[Any]]) -> Tasks:
        """Return a shortest circle within *knot* through one of its first tasks."""
        best: Tasks = []
        for start in sorted(knot, key=lambda task: task.get_name())[:20]:
            came: dict[asyncio.Task[Any], asyncio.Task[Any]] = {}
            queue = deque([start])
            while queue and start not in came:
                task = queue.popleft()
                for other in self.needs.get(task, ()):
                    if other in knot and other not in came:
                        came[other] = task
                        queue.append(other)
            circle = [start]
            while came[circle[0]] is not start:
                circle.insert(0, came[circle[0]])
            circle = [start, *circle[:-1]] if len(circle) > 1 else circle
            if not best or len(circle) < len(best):
                best = circle
        return best


_NOBODY: Tasks = []


def _who_has(posts: list[Post], things: set[int]) -> dict[int, Tasks]:
    """Return which of *posts* have each of *things* in a variable, or in an object's, and wait for something else.

    Whoever made a task and awaits it has what it was given, too, and isn't meant to signal it: those don't count.
    """
    found: defaultdict[int, Tasks] = defaultdict(list)
    for post in posts:
        if post.thing is None:
            continue
        near = [value for _, _, _, values in links_with_values(post.task) for value in values][:_MOST_NEAR]
        marks = {id(value) for value in near}
        marks.update(id(inner) for value in near for inner in _inside(value))
        for mark in marks & things:
            if mark != id(post.thing):
                found[mark].append(post.task)
    return found


def _inside(value: Any) -> list[Any]:
    if isinstance(value, CellType):
        return get_referents(value)
    if value.__class__ in (list, tuple, dict):
        return get_referents(value) if len(value) <= _MOST_NEAR else []
    known: Any = getattr(value, "__dict__", None)
    return list(known.values())[:_MOST_NEAR] if known.__class__ is dict and not isinstance(value, type) else []


# -- whom a wait for tasks is for ----------------------------------------------------------------------------------

_ALWAYS_GO_ON = {"sleep", "lane", "retry", "ending"}


def _needed_by(post: Post) -> list[Any]:
    if post.word in _OF_OURS:
        return _OF_OURS[post.word](post.values)
    if post.word in ("TaskGroup.__aexit__", "TaskGroup._aexit"):
        group = next((value for value in post.values if isinstance(value, asyncio.TaskGroup)), None)
        return list(getattr(group, "_tasks", ()))
    if post.word in ("_wait", "wait"):
        sets: list[Any] = [value for value in post.values if value.__class__ in (set, frozenset)]
        return [one for each in sets for future in list(each) for one in behind(future)]
    if post.word == "wait_for":  # of 3.11, which makes a task of what it waits for
        inner: list[Any] = [
            value for value in post.values if isinstance(value, asyncio.Future) and value is not post.waiter
        ]
        return [one for future in inner for one in behind(future)] or behind(post.waiter)
    return behind(post.waiter)


def behind(future: Any, depth: int = 0) -> list[Any]:
    """Return the tasks and bare futures that *future* waits for: itself, a gather's children, those behind a shield."""
    if isinstance(future, asyncio.Task) or depth > _DEEPEST:
        return [future]
    found: list[Any] = []
    if isinstance(future, _GATHERING):
        found = [one for child in list(getattr(future, "_children", ())) for one in behind(child, depth + 1)]
    for inner in _before(future):
        found += behind(inner, depth + 1)
    return found or [future]


def _before(future: Any) -> Iterable[Any]:
    """Yield the future that *future* stands before as a shield: asyncio notes it in a function's closure only."""
    for entry in list(getattr(future, "_callbacks", None) or ()):
        callback = entry[0] if isinstance(entry, tuple) else entry  # pyright: ignore[reportUnknownVariableType]
        if isinstance(callback, FunctionType) and callback.__qualname__ == "shield.<locals>._outer_done_callback":
            shield: Any = callback
            closure: list[tuple[str, CellType]] = list(
                zip(shield.__code__.co_freevars, shield.__closure__ or (), strict=False)
            )
            for name, cell in closure:
                if name == "inner":
                    yield cell.cell_contents


def _by_handle(values: list[Any]) -> list[Any]:
    return [value._running.task for value in values if type(value).__name__ == "Handle"]


def _children(values: list[Any]) -> list[Any]:
    for value in values:
        block = getattr(value, "fanout", value)
        if type(block).__name__ == "FanOut":
            feed = getattr(block, "_feed", None)
            return [*block.running.values(), *([feed.task] if feed is not None and feed.task is not None else [])]
        if type(block).__name__ == "Scope":
            return [handle._running.task for handle in list(block.handles)]
    return []


def _body(values: list[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, asyncio.Task)]


def _stream(values: list[Any]) -> list[Any]:
    return [task for value in values if type(value).__name__ in ("Pump", "MergeReader") for task in value.tasks]


def _reader(values: list[Any]) -> list[Any]:
    return [value.who_reads for value in values if type(value).__name__ == "Pump"]


def _resource(values: list[Any]) -> list[Any]:
    return [value._task for value in values if type(value).__name__ == "_Keeper"]


def _agent(values: list[Any]) -> list[Any]:
    return [value.task for value in values if type(value).__name__ == "Child"]


_OF_OURS = {
    "handle": _by_handle,
    "children": _children,
    "body": _body,
    "approval": _body,
    "stream": _stream,
    "reader": _reader,
    "resource": _resource,
    "agent": _agent,
}
