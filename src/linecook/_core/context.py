"""What is current: the call under way, the nearest deadline, the runtime. The only context variables of linecook.

A ``Frame`` is one place in the tree of calls: a call, a fan-out, a scope. Frames know their parent and nothing of
their children but how many there were, so a long-lived agent keeps none of its finished calls alive.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from .deadline import Deadline

Priority = Literal["interactive", "normal", "batch"]
PRIORITIES: tuple[Priority, ...] = ("interactive", "normal", "batch")

current_frame: ContextVar[Frame | None] = ContextVar("linecook_frame", default=None)
current_deadline: ContextVar[Deadline | None] = ContextVar("linecook_deadline", default=None)
current_runtime: ContextVar[Any] = ContextVar("linecook_runtime", default=None)


class Frame:
    """One place in the tree of calls.

    Attributes:
      parent: the frame under which this one runs; None at the top.
      index: place in the input of the fan-out that runs it; None outside one.
      number: n-th child of its parent, from 0, in the order in which they began.
    """

    __slots__ = ("__weakref__", "_children", "index", "number", "parent")

    is_tool: ClassVar[bool] = False

    def __init__(self, parent: Frame | None = None, index: int | None = None) -> None:
        self.parent = parent
        self.index = index
        self.number = 0
        self._children = 0

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
        child.number = self._children
        self._children += 1


def inherited_priority(frame: Frame | None) -> Priority:
    """Return the nearest priority asked for, from *frame* upwards; ``"normal"`` where nobody asked."""
    while frame is not None:
        asked = frame.own_priority
        if asked is not None:
            return asked
        frame = frame.parent
    return "normal"
