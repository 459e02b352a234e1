"""What is current: the call under way, the nearest deadline, the runtime. The only context variables of linecook.

A ``Frame`` is one place in the tree of calls: a call, a fan-out, a scope. Frames know their parent and nothing of
their children but how many there were, so a long-lived agent keeps none of its finished calls alive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from .account import Account
    from .deadline import Deadline

Priority = Literal["interactive", "normal", "batch"]
PRIORITIES: tuple[Priority, ...] = ("interactive", "normal", "batch")

current_frame: ContextVar[Frame | None] = ContextVar("linecook_frame", default=None)
current_deadline: ContextVar[Deadline | None] = ContextVar("linecook_deadline", default=None)
current_runtime: ContextVar[Any] = ContextVar("linecook_runtime", default=None)

# Bound once: since Python 3.12 a method of an imported name isn't called the short way, and is an object made anew each
# time: 55 ns for a get that takes 10 (benchmarks: call_overhead, ask_reply).
get_frame = current_frame.get
set_frame = current_frame.set
reset_frame = current_frame.reset
get_deadline = current_deadline.get
set_deadline = current_deadline.set

tenant_here: ContextVar[tuple[str, float]] = ContextVar("linecook_tenant", default=("", 1.0))
"""On whose behalf this runs, and the weight of its share; what ``tenant`` sets and limits are fair between."""


class Mark:
    """What tells that something was begun inside a block; held by the contexts made there and nobody else.

    Attributes:
      outer: the mark of the block around; None where there is none.
      path: returns what a reader calls the block.
      ended: whether the block has been left.
    """

    __slots__ = ("__weakref__", "ended", "outer", "path")

    def __init__(self, outer: Mark | None, path: Callable[[], str]) -> None:
        self.outer = outer
        self.path = path
        self.ended = False


mark_here: ContextVar[Mark | None] = ContextVar("linecook_mark", default=None)
"""The innermost scope in whose block, or in whose children, this was begun."""


class _Here(threading.local):
    """What is current in this very thread, where a body runs that no context variable was set for.

    To set one in a copy of the caller's context costs 0.3 µs and two objects for every call in a thread (thread_noop).
    """

    frame: Frame | None = None


here = _Here()


def frame_here() -> Frame | None:
    """Return the call under way, in whatever thread or task this is."""
    return here.frame or get_frame()


class Due(Protocol):
    """A moment by which something should have ended, on the clock that it names."""

    @property
    def at(self) -> float: ...
    @property
    def clock(self) -> Clock: ...


class Clock(Protocol):
    """Tells the time, from any thread."""

    def time(self) -> float: ...


class Frame:
    """One place in the tree of calls.

    Attributes:
      account: the nearest budget's; None where there is none, and on tools, which have nothing under them.
      parent: the frame under which this one runs; None at the top.
      index: place in the input of the fan-out that runs it; None outside one.
      runtime: where its calls run, once one of them has looked; None before.
      due: the deadline that a call in a lane carries itself; None elsewhere, and when it has ended.
      number: n-th child of its parent, from 0, in the order in which they began.
    """

    __slots__ = ("__weakref__", "_children", "_priority", "account", "due", "index", "number", "parent", "runtime")

    is_tool: bool = False  # of the class, but for groups
    is_fan_out: ClassVar[bool] = False
    is_budget: ClassVar[bool] = False
    _priority: Priority | None

    def __init__(self, parent: Frame | None = None, index: int | None = None) -> None:
        self.parent = parent
        self.account: Account | None = None if parent is None else parent.account
        self.index = index
        self.number = 0
        self.due: Due | None = None
        self.runtime: Any = None
        self._children = 0
        self._priority = None

    @property
    def name(self) -> str:
        """What a reader calls it: the function's name, or the construct's."""
        return type(self).__name__.lower()

    @property
    def own_priority(self) -> Priority | None:
        """The priority asked for at this very place; None to inherit."""
        return None

    @property
    def path(self) -> str:
        """Where it stands, from the top: ``briefing/settle:0/reader[3]/fetch:1``.

        Items of a fan-out are numbered by input index, everything else by order of beginning under its parent: for
        one and the same program the path doesn't depend on which call happens to end first.
        """
        step = self.name if self.parent is None else f"{self.name}:{self.number}"
        if self.index is not None:
            step = f"{self.name}[{self.index}]"
        return step if self.parent is None else f"{self.parent.path}/{step}"

    def adopt(self, child: Frame) -> None:
        """Make *child* the next child of this frame."""
        child.parent = self
        child.account = self.account
        child.number = self._children
        self._children += 1


class GroupFrame(Frame):
    """The place of a scope or a fan-out.

    Attributes:
      is_tool: it was begun in a tool, which is a leaf: whoever is called in it is refused, as in the tool itself.
    """

    __slots__ = ("is_tool",)

    def __init__(self) -> None:
        super().__init__()
        self.is_tool = False

    def stand_under(self, parent: Frame) -> None:
        """Make it the next child of *parent*, in which it was begun."""
        parent.adopt(self)
        self.is_tool = parent.is_tool


def inherited_priority(frame: Frame | None) -> Priority:
    """Return the nearest priority asked for, from *frame* upwards; ``"normal"`` where nobody asked."""
    if frame is None:
        return "normal"
    known = frame._priority
    if known is None:  # remembered, since an agent calls many tools
        known = frame._priority = frame.own_priority or inherited_priority(frame.parent)
    return known
