"""One call as a value: function and arguments, run when it is awaited, once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Coroutine, Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .._core.callframe import CallFrame
from .._core.context import Frame, Priority, current_frame
from .._core.errors import AlreadyRun, NestedTool

if TYPE_CHECKING:
    from .tool import Tool

R_co = TypeVar("R_co", covariant=True)


class Call(CallFrame, Coroutine[Any, Any, R_co]):
    """A call of a tool or agent that has not run yet: ``fetch(url)`` makes one and starts nothing.

    It is a coroutine to Python, so ``await``, ``asyncio.create_task``, ``TaskGroup`` and ``asyncio.gather`` take it.
    It runs once; ``again()`` makes a new one. One that is dropped without ever having been awaited or handed over is
    reported as Python reports a coroutine never awaited.

    Attributes:
      args, kwargs: the arguments as given.
      index: its place in the input of a fan-out; None outside one.
    """

    __slots__ = ("_coroutine", "_taken", "args", "kwargs", "tool")

    def __init__(self, tool: Tool[Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        # Every slot by hand: a chain of super().__init__ costs as much as the rest of the call (call_overhead).
        self.tool = tool
        self.args = args
        self.kwargs = kwargs
        self._taken = False
        self._coroutine: Coroutine[Any, Any, R_co] | None = None
        self.parent = None
        self.index = None
        self.number = 0
        self._children = 0
        self.queued = 0.0
        self.running = 0.0
        self.attempts = 0
        self.left_behind = False
        self.runtime = None

    # -- what can be read ----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The function's name."""
        return self.tool.__name__

    @property
    def function(self) -> Callable[..., Any]:
        """The function that was called, undecorated."""
        return self.tool.body

    @property
    def lane(self) -> str:
        """Where its body runs."""
        return self.tool.lane

    @property
    def is_tool(self) -> bool:  # type: ignore[override]
        """Whether it is a leaf, which may call no other tool."""
        return self.tool.is_tool

    @property
    def own_priority(self) -> Priority | None:
        """The priority its tool asks for; None to inherit the caller's."""
        return self.tool.priority

    def again(self) -> Call[R_co]:
        """Return a new call of the same function with the same arguments."""
        return Call(self.tool, self.args, self.kwargs)

    # -- running -------------------------------------------------------------------------------------------------

    def begin(self, parent: Frame | None) -> Coroutine[Any, Any, R_co]:
        if self._taken:
            raise AlreadyRun(f"{self!r} was awaited or handed over before; a call runs once. Use call.again().")
        self._taken = True
        if parent is not None:
            if parent.is_tool:
                raise nested(parent, self.tool)
            parent.adopt(self)
        return self.tool.run(self)

    def discard(self) -> None:
        self._taken = True

    def __await__(self) -> Generator[Any, None, R_co]:
        return self.begin(current_frame.get()).__await__()

    def send(self, value: Any) -> Any:
        """Run up to the next wait; for event loops, which drive coroutines."""
        if self._coroutine is None:
            self._coroutine = self.begin(current_frame.get())
        return self._coroutine.send(value)

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
    ) -> Any:
        """Raise an exception where the body waits; for event loops."""
        error = kind if isinstance(kind, BaseException) else value if isinstance(value, BaseException) else kind()
        if self._coroutine is None:
            self._taken = True
            raise error
        return self._coroutine.throw(error)

    def close(self) -> None:
        """Give the call up: it will not run, and isn't reported as never awaited."""
        self._taken = True
        if self._coroutine is not None:
            self._coroutine.close()

    def __del__(self) -> None:
        if not self._taken:
            warnings.warn(f"call {self!r} was never awaited", RuntimeWarning, stacklevel=2, source=self)


def nested(outer: Frame, inner: Tool[Any, Any]) -> NestedTool:
    """Return the error for *inner* being called inside the tool *outer*."""
    return NestedTool(
        f"the tool {outer.name} calls {inner.__name__}: a tool is a leaf and calls no other. Make {outer.name} an "
        f"agent (an async function under @agent), or call the plain function, {inner.__name__}.body(...)."
    )
