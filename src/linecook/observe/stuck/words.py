"""What is waited for and what would cure it, in words for somebody who meets a deadlock for the first time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ..._core.handlers import with_lines
from ..._core.place import Place
from ..audit.origins import line_that_made
from ..place import Spot
from .graph import Graph
from .noted import is_tracing
from .posts import LOCKS, SIGNALS, Held, Post

_KINDS = {
    "lane": "its body in the lane",
    "retry": "its next attempt",
    "children": "its calls",
    "ending": "calls that were asked to end",
    "handle": "a call in the background",
    "stream": "the next piece of a stream",
    "reader": "somebody to read its stream",
    "resource": "a resource to open",
    "message": "a message",
    "reply": "an agent's answer",
    "room": "room for a message",
    "approval": "an approval",
    "agent": "an agent to end",
    "body": "its body",
    "sleep": "a time to pass",
    "": "a future",
}
_FOR_TASKS = {"_wait", "wait", "TaskGroup.__aexit__", "TaskGroup._aexit"}


def name_of(post: Post) -> str:
    """Return what a reader calls a task: the path of the innermost call it stands in, else name and function."""
    named = post.task.get_name()
    if post.calls:
        path = path_of(post.calls[-1])
        return path if named.startswith("Task-") or named == post.calls[-1].name else f"{path} ({named})"
    function = "" if post.code is None else post.code.co_qualname.replace(".<locals>", "")
    return f"{named} ({function})" if function else named


def path_of(frame: Any) -> str:
    """Return the path of a call, or the end of one too deep to be told."""
    try:
        return str(frame.path)
    except RecursionError:
        return f".../{frame.name}:{frame.number}"


def place_of(spot: Spot | None) -> str:
    """Return ``file:line in function: source``; empty for None."""
    return "" if spot is None else shown(spot.look_up())


def shown(place: Place) -> str:
    """Return *place* with the plain name of its function."""
    return str(Place(place.file, place.line, place.function.replace(".<locals>", ""), place.source))


def made_noted(task: asyncio.Task[Any]) -> str:
    """Return the line that made *task*; empty when nobody has noted it."""
    where = line_that_made(task)
    return "" if where is None else shown(where.look_up())


def taken_at(held: Held) -> str:
    """Return the line of the ``with`` statement by which *held* was taken, or what the trace noted."""
    if held.line:
        return place_of(Spot(held.code, held.line))
    number, blocks = held.nth
    lines = with_lines(held.code, held.instruction) if blocks else []
    return place_of(Spot(held.code, lines[number])) if len(lines) == blocks > 0 else ""


def what_of(post: Post) -> str:
    """Return what *post* waits for, as a noun."""
    thing, word = post.thing, post.word
    waiter: Any = post.waiter
    gathers = "Gathering" in repr(waiter.__class__)
    if word in LOCKS:
        kind = type(thing).__name__ if thing is not None else word.partition(".")[0]
        return f"an asyncio.{kind}" if isinstance(thing, asyncio.Lock | asyncio.Semaphore) else f"a {kind}"
    if word == "limit":
        room = next((value for value in post.values if hasattr(value, "_gates")), None)
        return f"a place in {getattr(room, 'limit', 'a limit')!r}" if room is not None else "a place in a limit"
    if word == "edit":
        where = next((value for value in post.values if getattr(value, "__name__", "") == "where"), None)
        return f"the edit of {'a Shared' if where is None else where()}"
    if word == "change":
        cell = next((value for value in post.values if hasattr(value, "waits") and hasattr(value, "where")), None)
        return f"a change of {'a Shared' if cell is None else cell.where()}"
    if word == "wait_for" or (isinstance(waiter, asyncio.Task) and word not in SIGNALS):
        return "another task"
    if word in ("_wait", "wait", "TaskGroup.__aexit__", "TaskGroup._aexit") or gathers:
        return "tasks"
    return _KINDS.get(word) or word


def count_of(post: Post) -> str:
    """Return what *post* does, for counting."""
    if not post.is_waiting:
        return "at work, or ready to go on"
    return f"wait for {what_of(post)}"


def holds_of(graph: Graph, post: Post) -> list[tuple[Post, Held | None]]:
    """Return who has what *post* waits for, or whom it waits for."""
    holding: list[tuple[Post, Held | None]] = [*graph.holders_of(post.thing)]
    if holding:
        return holding
    return [(graph.posts[task], None) for task in graph.needs.get(post.task, ()) if task in graph.posts]


_CURES: tuple[tuple[Callable[[list[str]], object], str], ...] = (  # the first that fits the words of a circle
    (
        lambda words: words == ["Lock.acquire"],
        (
            "an asyncio.Lock can't be taken twice by the same task. Take it in the outermost function only, or split "
            "off the part that needs no lock."
        ),
    ),
    (
        lambda words: "Semaphore.acquire" in words,
        (
            "whoever holds a slot must not wait for somebody who needs one. Put the bound on what is called last, as "
            "@tool(limit=8) does, or on the fan-out (settle(calls, limit=8)), and hold no semaphore across an await of "
            "another agent."
        ),
    ),
    (
        lambda words: "edit" in words,
        (
            "update(fn) holds nothing, and transaction(fn) changes several values at once: neither can wait for the "
            "other. Keep edit() for work on one value, and await nobody in it who edits another."
        ),
    ),
    (
        lambda words: words.count("Lock.acquire") >= 2,
        (
            "take the locks in the same order everywhere, or hold one at a time. For a value that several tasks "
            "change, Shared.update needs no lock."
        ),
    ),
    (
        SIGNALS.intersection,
        (
            "whoever is waited for waits himself. Let it be said before he waits, or let him hold nothing that the "
            "other needs."
        ),
    ),
    (
        lambda words: "reply" in words,
        (
            "agents that wait for each other's answers take no messages meanwhile: let one of them tell() instead of "
            "asking, or give ask a timeout=, which ends the circle."
        ),
    ),
    (
        lambda words: "room" in words,
        (
            "agents that send to each other through full mailboxes wait for ever: start one of them with "
            "when_full='refuse' or 'drop_oldest', or let what goes back be a reply, which waits for no room."
        ),
    ),
    (
        lambda words: "Lock.acquire" in words,
        "don't wait for another task while holding a lock that it needs: let go of it first, or await it outside.",
    ),
    (
        {"handle", "children", "body", "", "gather", "_wait", "wait"}.issuperset,
        "two calls can't each need the other's result: let one of them be given what it needs as an argument.",
    ),
    (lambda _: True, "let one of them give up what it has before it waits, or set a time-out: fail_after(seconds)."),
)


def cure_of(circle: list[Post]) -> str:
    """Return what to write instead, for the commonest cause that fits *circle*."""
    words = [post.word for post in circle]
    return next(cure for fits, cure in _CURES if fits(words))


_HINTS = {
    "Event.wait": "Set the Event wherever the work ends, in a finally: too",
    "Queue.get": "Nobody puts anything in: have the producer put an end mark, or cancel the reader when it ends",
    "Queue.put": "The Queue is full and nobody gets from it: its reader has ended",
    "Queue.join": "Each get() needs a task_done(), when it fails, too",
    "Condition.wait": "Nobody will notify: notify_all() whenever what is waited for has changed",
    "Barrier.wait": "Fewer tasks come to the Barrier than it was made for",
    "change": "Nobody writes it any more",
    "": "Nobody will set a result: set one, or an exception, on every way out of whoever made the future",
}
_HINTS["Lock.acquire"] = "Whoever took it has ended and never gave it back: take it with `async with`"
_HINTS["Semaphore.acquire"] = "Whoever took the slots has ended and never gave them back: take them with `async with`"
_HINTS["Condition.wait_for"] = _HINTS["Condition.wait"]


def hint_for(post: Post) -> str:
    """Return the usual cure of a wait that nobody ends, as a sentence; empty: there is no usual one."""
    hint = _HINTS.get(post.word, "")
    return f"{hint}." if hint else ""


AS_FAR_AS_SEEN = "as far as can be seen: a slot taken by a bare acquire() is known after install(trace_locks=True) only"


def may_be_held_unseen(semaphore: Any) -> bool:
    """Whether somebody unknown may have a slot: without a trace, where the semaphore doesn't say how many it has."""
    return not is_tracing() and not isinstance(semaphore, asyncio.BoundedSemaphore)


def may_be_lost(post: Post) -> bool:
    """Whether it waits for something that somebody must say, and nobody may be left to."""
    if not post.is_waiting or isinstance(post.waiter, asyncio.Task):
        return False
    return post.word in SIGNALS or post.word in LOCKS or post.word in ("", "change")
