"""One call as a value: function and arguments, run when it is awaited, once."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextvars import Context
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .._core.callframe import CallFrame
from .._core.context import Frame, GroupFrame, Priority, get_frame, set_frame
from .._core.endings import contained
from .._core.errors import AlreadyRun, CallError, NestedTool

if TYPE_CHECKING:
    from .._core.account import Account
    from .tool import Tool

R_co = TypeVar("R_co", covariant=True)


if TYPE_CHECKING:

    class _Coroutine(Coroutine[Any, Any, R_co]): ...

else:
    # At run time a registered subclass: the metaclass of the abstract class makes each call 0.2 µs dearer, since the
    # interpreter's short cut for making objects is for plain classes (benchmarks: call_overhead).
    class _Coroutine:
        __slots__ = ()
        __class_getitem__ = classmethod(types.GenericAlias)


class Call(CallFrame, _Coroutine[R_co]):
    """A call of a tool or agent that has not run yet: ``fetch(url)`` makes one and starts nothing.

    It is a coroutine to Python, so ``await``, ``asyncio.create_task``, ``TaskGroup`` and ``asyncio.gather`` take it.
    It runs once; ``again()`` makes a new one. One that is dropped without ever having been awaited or handed over is
    reported as Python reports a coroutine never awaited.

    Attributes:
      args, kwargs: the arguments as given.
      index: its place in the input of a fan-out; None outside one.
    """

    __slots__ = ("_coroutine", "_taken", "tool")

    _coroutine: Coroutine[Any, Any, R_co] | None

    def __init__(self, tool: Tool[Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        # Only what every call of an agent needs; the rest has its defaults in __getattr__, which is asked for unset
        # slots alone (benchmarks: call_overhead).
        self.tool = tool
        self.args = args
        self.kwargs = kwargs
        self._taken = False
        self._children = 0
        self._priority = None
        self.runtime = self.account = None

    def __getattr__(self, name: str) -> Any:
        try:
            return _DEFAULTS[name] if name != "__name__" else self.tool.__name__
        except KeyError:
            raise AttributeError(f"'Call' object has no attribute {name!r}") from None

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
    def own_priority(self) -> Priority | None:
        """The priority its tool asks for; None to inherit the caller's."""
        return self.tool.priority

    def again(self) -> Call[R_co]:
        """Return a new call of the same function with the same arguments."""
        return type(self)(self.tool, self.args, self.kwargs)

    # -- running -------------------------------------------------------------------------------------------------

    def begin(self, parent: Frame | None) -> Coroutine[Any, Any, R_co]:
        instead = self._take(parent)
        return self.tool.run(self) if instead is None else instead

    def open(self, parent: Frame | None, context: Context) -> Coroutine[Any, Any, R_co]:
        instead = self._take(parent)
        tool = self.tool
        if instead is not None:
            return instead
        if not tool.is_bare:
            return tool.run(self)
        # Nothing but the body: it needs no frame of ours around it in a context of its own (fanout_100k).
        context.run(set_frame, self)
        try:
            body: Coroutine[Any, Any, R_co] = tool.body(*self.args, **self.kwargs)
        except TypeError:  # arguments that don't fit: raised again where the call is awaited, as its own failure
            return tool.run(self)
        self.attempts = 1
        self.running = -monotonic()
        return body

    def _take(self, parent: Frame | None) -> Coroutine[Any, Any, Any] | None:
        """Note that the call runs, and where; returns what runs in place of the usual way: see ``under``."""
        if self._taken:
            raise AlreadyRun(f"{self!r} was awaited or handed over before; a call runs once. Use call.again().")
        self._taken = True
        if parent is not None:
            if parent.is_tool:
                raise nested(parent, self.tool)
            self.parent = parent
            self.number = parent._children
            parent._children += 1
            if parent.account is not None:
                return self.under(parent.account)
        else:
            self.parent = None
        return None

    def under(self, account: Account) -> Coroutine[Any, Any, Any] | None:
        """Begin under *account*; return what runs in place of the usual way, or None.

        That is: what raises why the call was refused, by a budget or for want of permission; or what asks first.
        """
        self.account = account
        refusal = account.admit(self)
        if refusal is not None:
            return refused(refusal)
        if account.approvers and self.is_tool and self.tool.asked.effect != "read":
            return self.tool.run_asking(self)
        return None

    def told(self, error: BaseException) -> BaseException:
        error = contained(error, repr(self), self)
        self.sign(error)
        return error

    def discard(self) -> None:
        self._taken = True

    def __await__(self) -> Generator[Any, None, R_co]:
        if self._taken:
            self._take(None)
        self._taken = True
        parent = self.parent = get_frame()
        if parent is not None:
            if parent.is_tool:
                raise nested(parent, self.tool)
            self.number = parent._children
            parent._children += 1
            if parent.account is not None:
                instead = self.under(parent.account)
                if instead is not None:
                    return instead.__await__()
        return self.tool.run(self).__await__()

    @property
    def cr_frame(self) -> Any:
        """The frame in which it stands, while a task of its own drives it: for ``Task.get_stack`` and reports."""
        return getattr(self._coroutine, "cr_frame", None)

    @property
    def cr_await(self) -> Any:
        """What it waits for, while a task of its own drives it."""
        return getattr(self._coroutine, "cr_await", None)

    def send(self, value: Any) -> Any:
        """Run up to the next wait; for event loops, which drive coroutines."""
        if self._coroutine is None:
            self._coroutine = self.begin(get_frame())
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


class ToolCall(Call[R_co]):
    """A call of a tool: a leaf, which may call no other tool."""

    __slots__ = ()
    is_tool = True

    def __init__(self, tool: Tool[Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        # Without super(), and without what only parents need: 0.1 µs of 1.2 (benchmarks: call_overhead).
        self.tool = tool
        self.args = args
        self.kwargs = kwargs
        self._taken = False


class WorkerFrame(Frame):
    """What stands for the call under way inside a worker process, where the call itself isn't known."""

    __slots__ = ()
    is_tool = True

    @property
    def name(self) -> str:
        return "that runs in this process"


class PermittedCall(Call[R_co]):
    """A call of an agent with ``tools=``: what it calls runs under an account that allows no more than these."""

    __slots__ = ()

    def _take(self, parent: Frame | None) -> Coroutine[Any, Any, Any] | None:
        instead = super()._take(parent)
        self.account = self.tool.permitting(self.account)
        return instead

    def __await__(self) -> Generator[Any, None, R_co]:
        steps = super().__await__()
        self.account = self.tool.permitting(self.account)
        return steps


async def refused(error: CallError) -> Any:
    """Stand for a call that may not run, where its outcome is asked for."""
    raise error


def nested(outer: Frame, inner: Tool[Any, Any]) -> NestedTool:
    """Return the error for *inner* being called in the tool *outer*, or in a scope or fan-out that was begun in one."""
    while isinstance(outer, GroupFrame) and outer.parent is not None:
        outer = outer.parent
    return NestedTool(
        f"the tool {outer.name} calls {inner.__name__}: a tool is a leaf and calls no other. Make {outer.name} an "
        f"agent (an async function under @agent), or call the plain function, {inner.__name__}.body(...)."
    )


_DEFAULTS: dict[str, Any] = {
    "account": None,
    "_children": 0,
    "_coroutine": None,
    "_priority": None,
    "attempts": 0,
    "due": None,
    "index": None,
    "left_behind": False,
    "number": 0,
    "parent": None,
    "queued": 0.0,
    "running": 0.0,
    "runtime": None,
}

if not TYPE_CHECKING:
    Coroutine.register(Call)
