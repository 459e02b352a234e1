"""The declaration of a tool or agent: a function with its lane and policies, decided once, when it is decorated."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeVar, get_args, overload

from .._core.callframe import NO_ARGUMENTS
from .._core.context import PRIORITIES, Priority, current_frame
from .._core.deadline import check_seconds
from .._core.errors import UsageError
from .call import Call, ToolCall, nested
from .placement import runner
from .policies.limit import Limit
from .policies.retry import Retry

P = ParamSpec("P")
R = TypeVar("R")
Q = ParamSpec("Q")

LaneName = Literal["loop", "inline", "thread", "process"]
Effect = Literal["read", "write", "keyed", "tx"]


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for at decoration or with ``options``; see ``tool``."""

    lane: LaneName | None = None
    timeout: float | None = None
    attempt_timeout: float | None = None
    idle_timeout: float | None = None
    grace: float = 0.5
    limit: int | Limit | None = None
    retry: Retry | None = None
    effect: Effect = "write"
    priority: Priority | None = None


class Tool(Generic[P, R]):
    """A function under ``@tool`` or ``@agent``: calling it makes a ``Call``. To foreign code it looks like an async function.

    Attributes:
      body: the untouched function.
      lane: where its body runs.
      is_tool: False for an agent.
      is_stream: whether the body is a generator.
      is_bare: whether a call is nothing but its async body: no policy is asked for.
      asked: the options it was made with.
    """

    # What inspect and asyncio take for a function: without these a framework would call it on a thread of its own.
    __name__: str
    __qualname__: str
    __code__: types.CodeType
    __defaults__: tuple[Any, ...] | None
    __kwdefaults__: dict[str, Any] | None

    def __init__(self, body: Callable[P, Any], asked: Options, *, is_tool: bool) -> None:
        self.body = body
        self.asked = asked
        self.is_tool = is_tool
        self.is_stream = is_stream(body)
        self.is_bare = False
        self._call: type[Call[Any]] = ToolCall if is_tool else Call
        self.kind = "tool" if is_tool else "agent"
        _look_like(self, body)
        self.lane: LaneName = _lane_for(self, asked)
        self.priority: Priority | None = asked.priority
        _check(self, asked)
        self.limit = Limit(asked.limit, name=self.__name__) if isinstance(asked.limit, int) else asked.limit
        self.run: Callable[[Call[Any]], Coroutine[Any, Any, Any]] = runner(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Make a call; it runs when awaited.

        Typed as the coroutine it is, and not as ``Call``: only then do mypy and pyright report a forgotten ``await``.
        """
        frame = current_frame.get()
        if frame is not None and frame.is_tool:
            raise nested(frame, self)
        return self._call(self, args, kwargs or NO_ARGUMENTS)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Make a call, like calling the tool itself, typed as the ``Call`` it is."""
        made: Any = self(*args, **kwargs)
        return made

    def options(self, **changes: Any) -> Self:
        """Return the same tool with other options: ``fetch.options(timeout=30)(url)``.

        Limits are shared with the original unless ``limit=`` is among the changes. Options are those of the decorator.
        """
        unknown = changes.keys() - Options.__dataclass_fields__.keys()
        if unknown:
            raise UsageError(f"{self.__name__}.options has no {sorted(unknown)}; there are {list(Options.__slots__)}")
        if "limit" not in changes and self.limit is not None:
            changes["limit"] = self.limit
        return type(self)(self.body, replace(self.asked, **changes), is_tool=self.is_tool)

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self: Tool[Concatenate[Any, Q], R], instance: object, owner: type | None = None) -> BoundTool[Q, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else BoundTool(self, instance)

    def __reduce__(self) -> str:
        return self.__qualname__  # by name, as functions are pickled

    def __repr__(self) -> str:
        return f"<{self.kind} {self.__qualname__}, lane {self.lane}>"


class BoundTool(Generic[P, R]):
    """A tool that is a method, bound to its instance."""

    def __init__(self, tool: Tool[Any, R], instance: Any) -> None:
        self.__func__ = tool
        self.__self__ = instance
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__code__", "__defaults__", "__kwdefaults__"):
            setattr(self, name, getattr(tool, name))
        self.__annotations__ = tool.__annotations__
        signature = inspect.signature(tool)
        self.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])

    @property
    def body(self) -> Callable[P, Any]:
        """The untouched method."""
        return types.MethodType(self.__func__.body, self.__self__)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Make a call; it runs when awaited."""
        return self.__func__(self.__self__, *args, **kwargs)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Make a call; see ``Tool.call``."""
        made: Any = self(*args, **kwargs)
        return made

    def options(self, **changes: Any) -> BoundTool[P, R]:
        """Return the same method with other options; see ``Tool.options``."""
        return BoundTool(self.__func__.options(**changes), self.__self__)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__func__, name)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BoundTool) and self.__func__ is other.__func__ and self.__self__ is other.__self__  # pyright: ignore[reportUnknownMemberType]
        )

    def __hash__(self) -> int:
        return hash((self.__func__, id(self.__self__)))

    def __reduce__(self) -> Any:
        return getattr, (self.__self__, self.__func__.__name__)

    def __repr__(self) -> str:
        return f"<bound {self.__func__.kind} {self.__qualname__} of {self.__self__!r}>"


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether the body waits on the event loop."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def is_stream(function: Callable[..., Any]) -> bool:
    """Say whether the body is a generator, of either kind."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _look_like(tool: Tool[Any, Any], body: Any) -> None:
    """Give *tool* what functions have; its code object says coroutine function, or async generator function."""
    tool.__name__ = getattr(body, "__name__", type(body).__name__)
    tool.__qualname__ = getattr(body, "__qualname__", tool.__name__)
    tool.__module__ = getattr(body, "__module__", __name__)
    tool.__doc__ = getattr(body, "__doc__", None)
    tool.__annotations__ = getattr(body, "__annotations__", {})
    tool.__defaults__ = getattr(body, "__defaults__", None)
    tool.__kwdefaults__ = getattr(body, "__kwdefaults__", None)
    tool.__wrapped__ = body  # type: ignore[attr-defined]
    code = getattr(body, "__code__", None) or _template.__code__
    flags = code.co_flags & ~(inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR)
    flags |= inspect.CO_ASYNC_GENERATOR if is_stream(body) else inspect.CO_COROUTINE
    tool.__code__ = code.replace(co_flags=flags)


def _template(*args: Any, **kwargs: Any) -> None:
    return None


def _lane_for(tool: Tool[Any, Any], asked: Options) -> LaneName:
    wants = asked.lane
    if wants is not None and wants not in get_args(LaneName):
        raise ValueError(f"lane={wants!r} of {tool.__name__}: there are {', '.join(map(repr, get_args(LaneName)))}")
    if is_async(tool.body):
        if wants not in (None, "loop"):
            raise UsageError(
                f"{tool.__name__} is an async def and runs on the event loop; it can't ask for lane={wants!r}. "
                "Write it as a plain def, or leave lane= out."
            )
        return "loop"
    if wants == "loop":
        raise UsageError(
            f"{tool.__name__} is a plain def: lane='loop' would block every agent while it runs. Leave lane= out for a "
            "thread, write async def, or say lane='inline' if it takes microseconds and never waits."
        )
    return wants or "thread"


def _check(tool: Tool[Any, Any], asked: Options) -> None:
    name = tool.__name__
    for field in ("timeout", "attempt_timeout", "idle_timeout", "grace"):
        check_seconds(getattr(asked, field), f"{field} of {name}")
    if asked.priority is not None and asked.priority not in PRIORITIES:
        raise ValueError(f"priority={asked.priority!r} of {name}: there are {', '.join(map(repr, PRIORITIES))}")
    if asked.effect not in get_args(Effect):
        raise ValueError(f"effect={asked.effect!r} of {name}: there are {', '.join(map(repr, get_args(Effect)))}")
    if asked.limit is not None and not isinstance(asked.limit, (int, Limit)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"limit={asked.limit!r} of {name} must be a whole number, or a Limit to share")
    if asked.retry is not None and not isinstance(asked.retry, Retry):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"retry={asked.retry!r} of {name} must be Retry(on=...): say which errors are worth it")
    if asked.retry is not None and asked.effect == "write":
        raise UsageError(
            f"retry= on {name}, which is effect='write' (the default): a second attempt could do it twice. Say "
            "effect='read' if repeating does no harm, or effect='keyed' and send call_key() with the request."
        )
    if tool.lane == "inline" and (asked.timeout is not None or asked.attempt_timeout is not None):
        raise UsageError(f"{name} runs inline, on the loop itself, where no time-out can fire; leave lane= or timeout= out")
    if asked.idle_timeout is not None and not is_stream(tool.body):
        raise UsageError(f"idle_timeout= of {name} bounds the wait for each piece of a stream; {name} is no generator")
    if asked.retry is not None and is_stream(tool.body):
        raise UsageError(f"retry= on {name}, which streams: a second attempt would send its pieces again")


def check_function(function: Any, decorator: str) -> None:
    """Refuse what can't be a tool or agent, saying what to write instead.

    Raises:
      UsageError: a staticmethod or classmethod object (wrong order), a class, a tool, or nothing callable.
    """
    if isinstance(function, (staticmethod, classmethod)):
        kind = type(function).__name__  # pyright: ignore[reportUnknownArgumentType]
        raise UsageError(f"@{decorator} stands above @{kind}; turn them round: @{kind} first, @{decorator} below it")
    if isinstance(function, (Tool, BoundTool)):
        raise UsageError(f"{function!r} is decorated already; use .options(...) to change it, or .body")  # pyright: ignore[reportUnknownMemberType]
    if isinstance(function, type):
        raise UsageError(f"@{decorator} is for functions; {function.__qualname__} is a class. Decorate its method")
    if not callable(function):
        raise UsageError(f"@{decorator} is for functions, not {function!r}; options go by name: @{decorator}(timeout=5)")
