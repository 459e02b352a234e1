"""What a task stands in: the calls in its chain of coroutines, the deadlines around them, and what the last one awaits.

Everything is found by looking, when somebody asks: calls pay nothing for it. The values in a coroutine are taken from
the garbage collector's view of it, which keeps nothing alive; ``f_locals`` would, before Python 3.13. The idea is that
of ``python -m asyncio ps`` (Python 3.14), which shows coroutines; here they are calls, with limits and deadlines.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextvars import Context
from gc import get_referents
from types import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType, MethodType
from typing import Any, NamedTuple

from ..._core.context import Due, Frame, current_deadline
from ..._core.deadline import DeadlineScope
from ..._core.place import is_installed, is_ours_or_pythons
from ..._core.running import Running
from ..._core.scope import Scope
from ..._core.timers import Moment
from ..place import Spot

_HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_OURS = (_HERE + "_core" + os.sep, _HERE + "tools" + os.sep, _HERE + "agents" + os.sep)
_ASYNCIO = os.path.dirname(os.path.abspath(asyncio.__file__)) + os.sep
_DEEPEST = 2000  # links of a chain; one that goes round in circles has no end
TELLS_CONTEXT = sys.version_info >= (3, 12)
"""Whether a task tells its context, and with it the deadlines it inherits; a C task of 3.11 hides it."""

WAITS = {
    "Room.take": "limit",
    "retried.<locals>.run_retried": "retry",
    "FanOut.wait_over": "children",
    "_Reader.next": "children",
    "FanOut.see_end": "ending",
    "Scope._wait_all": "children",
    "Scope._see_them_end": "ending",
    "see_end": "ending",
    "Handle.wait": "handle",
    "Reader.next": "stream",
    "Pump._put": "reader",
    "_Keeper.value": "resource",
    "Inbox.__anext__": "message",
    "Inbox._one_more": "message",
    "Question.answered": "reply",
    "Streamed.next_piece": "reply",
    "Streamed.send": "reader",
    "Message.__await__": "room",
    "Child.wait": "agent",
    "wait_answer": "approval",
    "Team.wait": "children",
    "Subscription.__anext__": "message",
    "Topic.publish": "room",
    "Direct.steps": "lane",
    "_in_lane": "lane",
    "Pump._in_lane": "lane",
    "_in_own_task": "body",
}
"""The functions of linecook that wait, by qualified name, and what they wait for."""


class Wait(NamedTuple):
    """What the innermost call of a chain waits for.

    Attributes:
      kind: a value of ``WAITS``; ``"sleep"`` and ``"asyncio"`` for what isn't ours; ``"ready"`` when it waits for its
        turn on the loop only.
      what: the object that tells more: a job, the places of a limit, a fan-out, a handle, a task; None.
      word: the name of an asyncio primitive, such as ``"Queue.get"``; empty for others.
      since: when it began to wait, in the time of the loop; None where nobody has noted it.
    """

    kind: str
    what: Any = None
    word: str = ""
    since: float | None = None


class Glance(NamedTuple):
    """The calls in the chain of one task, outermost first, and what the last one waits for; the others wait for it."""

    task: asyncio.Task[Any]
    calls: list[Frame]
    wait: Wait


class Standing(NamedTuple):
    """One call in the chain of one task, seen closely.

    Attributes:
      frame: the call.
      wait: what it waits for; None when that is the next call of the same chain.
      spot: the line of its body where it stands, or of what it has called; None when it has none of the user's.
      dues: the deadlines that hold there, in no order.
    """

    frame: Frame
    wait: Wait | None
    spot: Spot | None
    dues: tuple[Due, ...]


class Until(NamedTuple):
    """A deadline of somebody else's, in the time of the loop."""

    at: float
    clock: Any


class Role(NamedTuple):
    """What there is to know of a function, once for all its calls.

    Attributes:
      name: its qualified name.
      place: ``"call"`` (one of ours that runs a call), ``"ours"``, ``"asyncio"``, ``"library"``, ``"user"``.
      is_public: whether somebody outside its module calls it.
      waits: whether it stands in ``WAITS``.
      drives: whether a task of a call's own begins with it.
    """

    name: str
    place: str
    is_public: bool
    waits: bool = False
    drives: bool = False


_roles: dict[CodeType, Role] = {}


def role_of(code: CodeType) -> Role:
    name, file = code.co_qualname, code.co_filename
    is_public = not code.co_name.startswith("_")
    if file.startswith(_OURS):
        drives = name in ("FanOut._drive", "Running._drive")
        runs_call = drives or "call" in code.co_varnames[: code.co_argcount] or name == "ForeignCall._run"
        role = Role(name, "call" if runs_call else "ours", is_public, name in WAITS, drives)
    elif file.startswith(_ASYNCIO):
        role = Role(name, "asyncio", is_public)
    elif is_ours_or_pythons(file) or is_installed(file):
        role = Role(name, "library", is_public)
    else:
        role = Role(name, "user", is_public)
    if len(_roles) > 20_000:  # a program that makes functions without end
        _roles.clear()
    _roles[code] = role
    return role


def glance_at(task: asyncio.Task[Any]) -> Glance | None:  # noqa: C901
    """Return which calls *task* stands in and what the last one waits for; None when there are none.

    To be called on the task's loop; from another thread only while the loop stands still. Of a task that is taking a
    step just now nothing can be told. One function, since 10,000 tasks are looked at: in parts it would take 9 µs for
    each, in place of 5.
    """
    link = outermost(task)
    calls: list[Frame] = [link] if _is_call(link) else []
    waiting: tuple[Role, Any] | None = None
    inner: tuple[Role, Any] | None = None
    for _ in range(_DEEPEST):
        kind: Any = type(link)  # pyright: ignore[reportUnknownVariableType]
        if kind is CoroutineType:
            code, awaited = link.cr_code, link.cr_await
        elif kind is GeneratorType:
            code, awaited = link.gi_code, link.gi_yieldfrom
        elif kind is AsyncGeneratorType:
            code, awaited = link.ag_code, link.ag_await
        elif link is None:
            break
        else:
            link = _behind(link)
            continue
        role = _roles.get(code) or role_of(code)
        place = role.place
        if place == "call":
            for value in get_referents(link):
                if isinstance(value, Frame):
                    if not calls or calls[-1] is not value:
                        calls.append(value)
                    break
        elif place == "asyncio":
            if inner is None or role.is_public:
                inner = role, link
        elif place != "ours":
            waiting = inner = None
        if role.waits:
            waiting = role, link
        link = awaited
    return Glance(task, calls, _wait_of(task, waiting, inner)) if calls else None


def standings_of(task: asyncio.Task[Any]) -> list[Standing]:
    """Return the calls that *task* stands in, outermost first, with lines and deadlines; else as ``glance_at``."""
    glance = glance_at(task)
    if glance is None:
        return []
    lines, dues = _lines_and_dues(task, glance.calls)
    dues += [(0, due) for due in inherited_dues(task, dues)]
    last = len(glance.calls) - 1
    found: list[Standing] = []
    for place, call in enumerate(glance.calls):
        own = [due for outside, due in dues if outside <= place + 1]
        if call.due is not None:
            own.append(call.due)
        wait = glance.wait if place == last else None
        found.append(Standing(call, wait, lines.get(place + 1), tuple(own)))
    return found


def driver_of(task: asyncio.Task[Any]) -> Any:
    """Return what ends the outermost call of *task*, and nothing else: a ``Running``, or the task itself.

    None: the task is somebody else's, and his code awaits the call in it.
    """
    coroutine = outermost(task)
    if _is_call(coroutine):
        return task
    code = getattr(coroutine, "cr_code", None)
    if code is None or not (_roles.get(code) or role_of(code)).drives:
        return None
    values: list[Any] = get_referents(coroutine)
    return next((value for value in values if isinstance(value, Running)), task)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def outermost(task: asyncio.Task[Any]) -> Any:
    return task.get_coro()


def _is_call(link: Any) -> bool:
    return isinstance(link, Frame)


def _behind(link: Any) -> Any:
    """Return the coroutine inside *link*: a call that is a task's coroutine, or an object of C that hides its own."""
    if _is_call(link):
        return getattr(link, "_coroutine", None)
    for inner in get_referents(link):
        if type(inner) in _LINKS:
            return inner
    return None


_LINKS = frozenset((CoroutineType, GeneratorType, AsyncGeneratorType))


def _wait_of(task: asyncio.Task[Any], waiting: tuple[Role, Any] | None, inner: tuple[Role, Any] | None) -> Wait:
    """Return what a task waits for that stands last in *waiting*, a function of ours, or in *inner*, of asyncio."""
    waiter = getattr(task, "_fut_waiter", None)
    if waiter is None or waiter.done():
        return _READY
    if waiting is not None:
        role, link = waiting
        values = get_referents(link)
        since = next((value for value in values if type(value) is float), None) if role.name == "Room.take" else None
        return Wait(WAITS[role.name], _telling(role.name, values), since=since)
    if inner is None:
        return Wait("asyncio", waiter)
    role, link = inner
    if role.name == "sleep":
        return Wait("sleep", next((value for value in get_referents(link) if hasattr(value, "when")), None))
    return Wait("asyncio", waiter, role.name)


_READY = Wait("ready")


def _lines_and_dues(task: asyncio.Task[Any], calls: list[Frame]) -> tuple[dict[int, Spot], list[tuple[int, Due]]]:
    """Return the innermost line of each call's own code, and the deadlines around: both by how many calls lie outside.

    Line 1 belongs to ``calls[0]``. Of several links between two calls the user's come before a library's.
    """
    links: dict[int, tuple[Any, CodeType, str]] = {}
    dues: list[tuple[int, Due]] = []
    number = int(_is_call(outermost(task)))
    for link, code, role in links_of(task):
        values = get_referents(link)
        if role.place == "call" and number < len(calls) and any(value is calls[number] for value in values):
            number += 1
        if role.place == "user" or (role.place == "library" and links.get(number, _NO_LINK)[2] != "user"):
            links[number] = link, code, role.place
        methods = [value for value in values if type(value) is MethodType]
        dues += [(number, due) for method in methods if (due := due_left_by(method, task)) is not None]
    spots = {place: Spot(code, line_of(link) or code.co_firstlineno) for place, (link, code, _) in links.items()}
    return spots, dues


_NO_LINK = (None, None, "")


def links_of(task: asyncio.Task[Any]) -> Iterator[tuple[Any, CodeType, Role]]:
    """Yield the coroutines and generators that *task* stands in, outermost first."""
    link = outermost(task)
    for _ in range(_DEEPEST):
        kind = {CoroutineType: "cr", GeneratorType: "gi", AsyncGeneratorType: "ag"}.get(type(link))  # pyright: ignore[reportUnknownArgumentType]
        if kind is not None:
            code: CodeType = getattr(link, f"{kind}_code")
            yield link, code, _roles.get(code) or role_of(code)
            link = getattr(link, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
        elif link is None:
            return
        else:
            link = _behind(link)


def inherited_dues(task: asyncio.Task[Any], own: list[tuple[int, Due]]) -> Iterator[Due]:
    """Yield the deadlines that were set before *task* began; *own* are those found in it."""
    context = context_of(task)
    known = {id(due) for _, due in own}
    due: Any = None if context is None else context.get(current_deadline)
    while due is not None:
        if id(due) not in known and getattr(due, "waiting", True):
            yield due
        due = getattr(due, "_previous", None)


def context_of(task: asyncio.Task[Any]) -> Context | None:
    """Return the context that *task* runs in; a task of 3.11 hides it, but not from the garbage collector."""
    get: Any = getattr(task, "get_context", None)
    if get is not None:
        found: Context | None = get()
        return found
    return next((value for value in get_referents(task) if type(value) is Context), None)


def line_of(link: Any) -> int | None:
    frame = getattr(link, "cr_frame", None) or getattr(link, "gi_frame", None) or getattr(link, "ag_frame", None)
    return None if frame is None else frame.f_lineno


def _telling(function: str, values: list[Any]) -> Any:
    """Return the object among the *values* of a waiting *function* that tells what it waits for; None: none does."""
    if WAITS[function] == "lane":
        return next((value for value in values if isinstance(value, Moment) and hasattr(value, "queued_at")), None)
    if WAITS[function] == "approval":
        return next((value for value in values if value.__class__ is asyncio.Task), None)
    owner = function.partition(".")[0]
    return next((value for value in values if owner in (kind.__name__ for kind in type(value).__mro__)), None)


def due_left_by(method: Any, task: asyncio.Task[Any]) -> Due | None:
    """Return the deadline of the block that *method* leaves: a ``with`` block keeps it at hand while it is open."""
    block = method.__self__
    if isinstance(block, DeadlineScope):
        return block if block.waiting and method.__name__ == "__exit__" else None
    if isinstance(block, Scope):
        deadline = block._deadline
        return deadline if deadline.waiting and method.__name__ == "__aexit__" else None
    if isinstance(block, asyncio.Timeout) and method.__name__ == "__aexit__":
        when = block.when()
        return None if when is None else Until(when, task.get_loop())
    return None
