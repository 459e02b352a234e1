"""Looks on while the failing schedule runs once more: which plain state each step of the user's code reads and writes.

By ``sys.settrace``, line by line, on the thread of the loop; a search is never slowed down by it. Objects are looked
into without running any code of theirs: a property, or an item behind a ``__getitem__``, is not seen.
"""

from __future__ import annotations

import ast
import reprlib
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any, Self

from ..exploration import Place
from ..threads.users_code import UsersCode
from .reading_lines import Does, Mention, lines_of

_MOST = 20_000  # accesses that are kept of one schedule
_MISSING = object()

Where = tuple[Any, ...]  # an object's identity, and the name or key in it


@dataclass(slots=True)
class Seen:
    """One access to state that is not a task's own.

    Attributes:
      step: in which step of the schedule.
      party: who made it.
      does: ``"read"`` or ``"write"``.
      where: which state; equal for the same.
      what: its name in the source.
      value: what was read, or is there after the write, as text.
      place: the line.
      found: the identity of what was there before the line, of a write as well.
      in_place: whether a container was changed that stays where it is: nothing in it was replaced by this.
    """

    step: int
    party: str
    does: Does
    where: Where
    what: str
    value: str
    place: Place
    found: int = 0
    in_place: bool = False


class Observation:
    """Looks on from ``with`` to its end.

    Args:
      now: tells the number of the step under way, and whose it is; None when it is nobody's.
    """

    def __init__(self, now: Callable[[], tuple[int, str] | None]) -> None:
        self.seen: list[Seen] = []
        self._now = now
        self._code = UsersCode()
        self._kept: list[Any] = []  # identities are those of living objects
        self._pending: dict[int, list[tuple[Mention, Seen]]] = {}  # by frame: writes whose value is still to be seen
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.settrace(self._before)
        self._kept.clear()

    def _call(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if len(self.seen) >= _MOST or not self._code.has(frame.f_code):
            return None
        if frame.f_lasti > 0:  # it goes on, in the middle of a line
            self._note(frame, after_await=True)
        return self._line

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        self._settle(frame)
        if event == "line":
            self._note(frame, after_await=False)
        return self._line

    def _note(self, frame: FrameType, *, after_await: bool) -> None:
        now = self._now()
        if now is None:
            return
        for mention in lines_of(frame.f_code.co_filename).get(frame.f_lineno, ()):
            if mention.after_await == after_await:
                self._note_one(frame, mention, *now)

    def _note_one(self, frame: FrameType, mention: Mention, step: int, party: str) -> None:
        found = _find(frame, mention)
        if found is None:
            return
        where, value, holder = found
        self._kept += (holder, value)
        place = Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        text, in_place = ast.unparse(mention.node), mention.whole and mention.does == "write"
        seen = Seen(step, party, mention.does, where, text, _short(value), place, id(value), in_place)
        self.seen.append(seen)
        if mention.does == "write":
            self._pending.setdefault(id(frame), []).append((mention, seen))

    def _settle(self, frame: FrameType) -> None:
        """Look what the writes of the line before have left."""
        for mention, seen in self._pending.pop(id(frame), ()):
            found = _find(frame, mention)
            if found is not None:
                seen.value = _short(found[1])


def _find(frame: FrameType, mention: Mention) -> tuple[Where, Any, Any] | None:
    """Return which state *mention* is in *frame*, its value, and what holds it; None: it is the frame's own."""
    node = mention.node
    if mention.whole:
        value = _value(frame, node)
        # What a container holds, whatever it is called: anything else is asked for its contents by its own code.
        return None if type(value) not in _CONTAINERS else ((id(value), "*"), value, value)
    if isinstance(node, ast.Name):
        return _variable(frame, node.id)
    if isinstance(node, ast.Attribute):
        base = _value(frame, node.value)
        if base is _MISSING or (isinstance(base, (ModuleType, type)) and not isinstance(node.ctx, ast.Store)):
            return None
        held = _held(base, node.attr)
        if callable(held) or (held is _MISSING and isinstance(node.ctx, ast.Load)):
            return None
        return (id(base), node.attr), held, base
    if isinstance(node, ast.Subscript):
        base, key = _value(frame, node.value), _value(frame, node.slice)
        if type(base) not in _CONTAINERS or key is _MISSING or isinstance(key, slice):
            return None
        return (id(base), repr(key)), _item(base, key), base
    return None


def _variable(frame: FrameType, name: str) -> tuple[Where, Any, Any] | None:
    code = frame.f_code
    if name in code.co_freevars or name in code.co_cellvars:
        value = frame.f_locals.get(name, _MISSING)
        return None if callable(value) else (("outer", _owner(code, name), name), value, code)
    if name in frame.f_locals or name not in frame.f_globals:
        return None
    value = frame.f_globals[name]
    if callable(value) or isinstance(value, ModuleType):
        return None
    return (id(frame.f_globals), name), value, frame.f_globals


def _owner(code: CodeType, name: str) -> str:
    """Return the function whose variable an outer one is: the nearest around, as far as its name tells."""
    own = code.co_qualname
    return own if name in code.co_cellvars else own.rpartition(".<locals>.")[0]


def _value(frame: FrameType, node: ast.expr) -> Any:
    """Return what *node* is in *frame*, when that can be told without running any code."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id, _MISSING))
    if isinstance(node, ast.Attribute):
        base = _value(frame, node.value)
        return _MISSING if base is _MISSING else _held(base, node.attr)
    if isinstance(node, ast.Subscript):
        base, key = _value(frame, node.value), _value(frame, node.slice)
        return _item(base, key) if type(base) in _CONTAINERS and key is not _MISSING else _MISSING
    return _MISSING


def _held(base: Any, name: str) -> Any:
    """Return the attribute *name* of *base*, its own or a plain default of its class."""
    held = _vars(base).get(name, _MISSING)
    if held is _MISSING and not isinstance(base, type):
        held = next((vars(kind)[name] for kind in type(base).__mro__ if name in vars(kind)), _MISSING)
        return _MISSING if _is_descriptor(held) else held
    return held


def _is_descriptor(held: Any) -> bool:
    return any("__get__" in vars(kind) for kind in held.__class__.__mro__)


def _vars(base: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = object.__getattribute__(base, "__dict__")
    except AttributeError:
        return dict(_slots(base))
    return found


def _slots(base: Any) -> Iterator[tuple[str, Any]]:
    for kind in type(base).__mro__:
        for name in vars(kind).get("__slots__", ()):
            try:
                yield name, object.__getattribute__(base, name)
            except AttributeError:
                continue


def _item(base: Any, key: Any) -> Any:
    try:
        return dict[Any, Any].get(base, key, _MISSING) if isinstance(base, dict) else base[key]  # pyright: ignore[reportUnknownArgumentType]
    except Exception:  # not there, or not hashable
        return _MISSING


_CONTAINERS = frozenset((dict, list, set, deque, defaultdict, OrderedDict, Counter))

_repr = reprlib.Repr()
_repr.maxother = _repr.maxstring = 40


def _short(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    try:
        return _repr.repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
