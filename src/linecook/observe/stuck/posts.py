"""Where one task stands: what it waits for, and what it holds meanwhile, read from its coroutines.

asyncio's locks don't note who holds them, and needn't: ``async with lock:`` leaves the lock's ``__aexit__`` on the
stack of the coroutine for as long as the block is open, and the garbage collector's view of the coroutine shows it. So
holders are known without a hook on any path, as long as they use ``async with``; what was taken by ``await
lock.acquire()`` is seen by ``LockTrace`` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import lru_cache
from gc import get_referents
from types import AsyncGeneratorType, BuiltinMethodType, CodeType, GeneratorType, MethodType
from typing import Any, NamedTuple

from ..._core.context import Due, Frame
from ..live.chains import WAITS, Role, Until, context_of, due_left_by, inherited_dues, line_of, links_of, outermost
from ..place import Spot
from .sightings import waiter_of

PLACES = {
    "_placed.<locals>.run_placed",
    "_admitted.<locals>.run_admitted",
    "_placed_on_loop.<locals>.run_placed",
    "_admitted_on_loop.<locals>.run_admitted",
}
"""The functions of linecook in which a call goes through a limit: it holds a place unless it waits for one below."""

SIGNALS = {
    "Event.wait",
    "Condition.wait",
    "Condition.wait_for",
    "Queue.get",
    "Queue.put",
    "Queue.join",
    "Barrier.wait",
}
"""The waits of asyncio that end when somebody says so, and nobody is known to have to."""

LOCKS = {"Lock.acquire", "Semaphore.acquire"}
"""The waits of asyncio that end when a holder lets go."""

_OF_STATE = {"Turns.take": ("edit", "Turns"), "Waits.until": ("change", "Waits")}
_JOINS = {"TaskGroup.__aexit__", "wait", "gather"}
_METHODS = (MethodType, BuiltinMethodType)
_ENTERING = {"__aenter__", "acquire"}


class Held(NamedTuple):
    """Something that a task holds.

    Attributes:
      thing: what: a lock, a semaphore, the places of a limit; see ``thing_of``.
      code: the function in which it was taken.
      instruction: where that function stands.
      nth: which of the ``with`` blocks open there, from the outermost, and how many there are; (0, 0): no block.
      line: where it was taken, when a trace has noted that; 0: work it out, if it is asked for.
    """

    thing: Any
    code: CodeType
    instruction: int
    nth: tuple[int, int] = (0, 0)
    line: int = 0


class Post:
    """Where one task stands.

    Attributes:
      task: the task.
      waiter: the future it waits for; None: it waits for nothing but its turn, or is at work.
      calls: the calls in its chain, outermost first.
      word: what it waits in: a name such as ``"Lock.acquire"``, or a kind of ``WAITS`` in lower case; empty: a future.
      thing: what it waits for, where that is a thing; a task's future for none.
      values: what that innermost function knows, for those who look closer.
      held: what it holds.
      spot: the innermost line of the user's own; None: it has none.
      deadlines: those that will end the wait.
      code: the function it begins with; None: it isn't known.
      catching: the exception that one of its coroutines is handling just now, if that is a cancellation.
    """

    __slots__ = (
        "calls", "catching", "code", "context", "deadlines", "held", "spot", "task", "thing", "values", "waiter",
        "word",
    )  # fmt: skip

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.waiter: Any = waiter_of(task)
        self.calls: list[Frame] = []
        self.word = ""
        self.thing: Any = None
        self.values: list[Any] = []
        self.held: list[Held] = []
        self.spot: Spot | None = None
        self.deadlines: list[Due] = []
        self.code: CodeType | None = None
        self.catching: asyncio.CancelledError | None = None
        self.context = context_of(task)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for something that has not come yet."""
        return self.waiter is not None


def thing_of(thing: Any) -> Any:
    """Return what is really held or waited for: the lock of a condition, the gates of a limit's door."""
    if isinstance(thing, asyncio.Condition):
        return getattr(thing, "_lock", thing)
    if is_of_state(thing, "Edit"):  # of a Shared; that room is this one's neighbour, and known by name only
        return thing._cell.turns
    return getattr(thing, "gates", thing)


def is_of_state(thing: Any, name: str) -> bool:
    """Say whether *thing* is a *name* of the room of shared values."""
    return type(thing).__name__ == name and type(thing).__module__.startswith("linecook.state.")


def look_at(task: asyncio.Task[Any]) -> Post:
    """Return where *task* stands just now. From any thread; one that goes on meanwhile is found ``not is_waiting``."""
    post = Post(task)
    first: Any = outermost(task)
    if isinstance(first, Frame):  # a call that is itself the coroutine of its task, as a mailbox agent is
        post.calls.append(first)
    links = list(links_of(task))
    known = [get_referents(link) for link, _, _ in links]
    for place, (link, code, role) in enumerate(links):
        values = known[place]
        if post.code is None:
            post.code = code
        if role.place == "call":
            post.calls += [value for value in values if isinstance(value, Frame) and value not in post.calls][:1]
            post.held += _places_held(link, code, role.name, values, links, place)
        elif role.place in ("user", "library") and (role.place == "user" or post.spot is None):
            post.spot = Spot(code, line_of(link) or code.co_firstlineno)
        below = links[place + 1] if place + 1 < len(links) else None
        entering = known[place + 1] if below is not None and below[1].co_name in _ENTERING else ()
        post.held += _held_in(link, code, values, entering)
        post.deadlines += _deadlines_in(values, task, role.place == "asyncio" and role.name != "sleep")
        post.catching = next((one for one in values if isinstance(one, asyncio.CancelledError)), post.catching)
    post.deadlines += inherited_dues(task, [(0, due) for due in post.deadlines])
    if post.is_waiting:
        _find_wait(post, links, known)
        if waiter_of(task) is not post.waiter:  # it went on while we looked: nothing of this is sure
            post.waiter = None
    return post


def links_with_values(task: asyncio.Task[Any]) -> Iterator[tuple[Any, CodeType, Role, list[Any]]]:
    """Yield the coroutines that *task* stands in, outermost first, each with what it refers to."""
    for link, code, role in links_of(task):
        yield link, code, role, get_referents(link)


def _deadlines_in(values: list[Any], task: asyncio.Task[Any], has_timer: bool) -> Iterator[Due]:
    for value in values:
        if type(value) is MethodType:
            due = due_left_by(value, task)
            if due is not None:
                yield due
        elif has_timer and type(value) is asyncio.TimerHandle and not value.cancelled():  # of asyncio.wait, of wait_for
            yield Until(value.when(), task.get_loop())


# -- what it holds -------------------------------------------------------------------------------------------------


def _held_in(link: Any, code: CodeType, values: list[Any], entering: Any) -> list[Held]:
    """Return what the ``with`` blocks that are open in *link* hold; not the one that it is about to enter."""
    exits = [value for value in values if type(value) in _METHODS and value.__name__ in ("__aexit__", "__exit__")]
    if exits and any(_is_among(thing, entering) for thing in _things_behind(exits[-1].__self__)):
        exits.pop()
    if not exits:
        return []
    frame = frame_of(link)
    at = -1 if frame is None else frame.f_lasti
    found: list[Held] = []
    for number, method in enumerate(exits):
        found += [Held(thing, code, at, (number, len(exits))) for thing in _things_behind(method.__self__)]
    return found


def _things_behind(manager: Any, depth: int = 0) -> list[Any]:
    """Return what *manager*, in whose block somebody is, holds for him."""
    if isinstance(manager, asyncio.Lock | asyncio.Semaphore | asyncio.Condition):
        return [thing_of(manager)]
    if is_of_state(manager, "Edit"):
        return [thing_of(manager)]
    if depth > 3:
        return []
    found: list[Any] = []
    generator = getattr(manager, "gen", None)  # what contextlib's decorators make a manager of
    if type(generator) is AsyncGeneratorType or type(generator) is GeneratorType:
        for method in get_referents(generator):
            if type(method) is MethodType and method.__name__ in ("__aexit__", "__exit__"):
                found += _things_behind(method.__self__, depth + 1)
    for callback in list(getattr(manager, "_exit_callbacks", ())):  # of an AsyncExitStack
        inner = getattr(callback[-1], "__self__", None) if isinstance(callback, tuple) else None
        if inner is not None:
            found += _things_behind(inner, depth + 1)
    for held in list(getattr(manager, "_held", ())) if type(manager).__name__ == "Admitted" else ():
        found.append(thing_of(held[0]))
    return found


def _places_held(
    link: Any, code: CodeType, name: str, values: list[Any], links: list[tuple[Any, CodeType, Any]], place: int
) -> list[Held]:
    if name not in PLACES:
        return []
    below = links[place + 1][2].name if place + 1 < len(links) else ""
    if below in ("Places.take_place", "Door.take", "Room.take"):
        return []
    return [Held(thing_of(value), code, -1) for value in values if hasattr(value, "room") and hasattr(value, "taken")]


def _is_among(thing: Any, values: Any) -> bool:
    return any(thing_of(value) is thing for value in values)


def frame_of(link: Any) -> Any:
    """Return the frame of a coroutine or generator; None: it has none."""
    return getattr(link, "cr_frame", None) or getattr(link, "gi_frame", None) or getattr(link, "ag_frame", None)


# -- what it waits for ---------------------------------------------------------------------------------------------


def _find_wait(post: Post, links: list[tuple[Any, CodeType, Any]], known: list[list[Any]]) -> None:
    """Fill in word, thing and values: of linecook's own waits, or else of asyncio's."""
    asyncios: list[tuple[str, list[Any]]] = []
    for place in range(len(links) - 1, -1, -1):
        role = links[place][2]
        if role.waits:
            post.word, post.values = WAITS[role.name], known[place]
            if post.word == "reply" and post.waiter.waiting:  # a question with a timeout of its own
                post.deadlines.append(Until(post.waiter.at, post.task.get_loop()))
            post.thing = _gates_in(known[place]) if post.word == "limit" else None
            return
        if role.place == "asyncio":
            asyncios.append((role.name, known[place]))
        elif role.name in _OF_STATE:
            kind, owner = _OF_STATE[role.name]
            post.thing = next((value for value in known[place] if is_of_state(value, owner)), None)
            if post.thing is not None:
                post.word, post.values = kind, known[place]
                return
        elif role.name != "Waiter.wait":
            break
    _find_asyncio_wait(post, asyncios)


def _gates_in(values: list[Any]) -> Any:
    room = next((value for value in values if hasattr(value, "_gates") and hasattr(value, "limit")), None)
    return None if room is None else room._gates


def _find_asyncio_wait(post: Post, asyncios: list[tuple[str, list[Any]]]) -> None:
    """Choose among asyncio's functions at the end of a chain, innermost first."""
    if not asyncios:
        return
    innermost = asyncios[0][0]
    chosen = asyncios[0]
    if innermost not in LOCKS:  # a Barrier waits in its Condition, a Condition for its Lock, a join in an Event
        chosen = next((one for one in reversed(asyncios) if one[0] in SIGNALS or one[0] in _JOINS), asyncios[0])
    post.word, post.values = chosen
    if post.word in SIGNALS or post.word in LOCKS:
        kind = post.word.partition(".")[0]
        post.thing = next((value for value in post.values if kind in _kinds_of(value.__class__)), None)


@lru_cache(1000)
def _kinds_of(kind: Any) -> frozenset[str]:
    return frozenset(one.__name__ for one in kind.__mro__ if one.__module__.startswith("asyncio."))
