"""The place of a fan-out in the tree of calls, and how deep such places may lie in each other."""

from __future__ import annotations

from .._core.context import Frame, GroupFrame

DEEPEST = 500
"""Fan-outs inside fan-outs: beyond any plan, and far below what fills the memory."""


class FanOutFrame(GroupFrame):
    """The place of a fan-out in the tree of calls."""

    __slots__ = ("_name", "depth")
    is_fan_out = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.depth = 1

    @property
    def name(self) -> str:
        return self._name


def depth_below(parent: Frame, name: str) -> int:
    """Return how many fan-outs stand around one under *parent*, with itself.

    Raises:
      RecursionError: too many: a call that awaits itself ends so by Python's own bound, one that fans out to itself,
        each time in tasks of their own, would fill the memory.
    """
    above: Frame | None = parent
    while above is not None and not isinstance(above, FanOutFrame):
        above = above.parent
    depth = 1 if above is None else above.depth + 1
    if depth > DEEPEST:
        raise RecursionError(
            f"{name} under {parent.name} stands in {DEEPEST} other fan-outs: an agent seems to fan out to itself "
            "without end. Bound it, or say budget(depth=...) around it to have it end sooner."
        )
    return depth
