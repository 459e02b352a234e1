"""The place of a stream in the tree of calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.callframe import CallFrame
from .._core.context import Priority

if TYPE_CHECKING:
    from .tool import Tool


class StreamFrame(CallFrame):
    """The place of a stream in the tree of calls."""

    __slots__ = ("tool",)

    def __init__(self, tool: Tool[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.start_empty(args, kwargs)
        self.tool = tool

    def told(self, error: BaseException) -> BaseException:
        error = super().told(error)
        self.sign(error)
        return error

    @property
    def name(self) -> str:
        return self.tool.__name__

    @property
    def function(self) -> Callable[..., Any]:
        return self.tool.body

    @property
    def lane(self) -> str:
        return self.tool.lane

    @property
    def is_tool(self) -> bool:  # type: ignore[override]
        return self.tool.is_tool

    @property
    def own_priority(self) -> Priority | None:
        return self.tool.priority
