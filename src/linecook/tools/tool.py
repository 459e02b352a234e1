"""The declaration of a tool or agent: a function with its lane and policies, decided once, when it is decorated."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeVar, cast, get_args, get_origin, overload

from .._core.account import Account, Approver, say_nothing
from .._core.callframe import NO_ARGUMENTS
from .._core.context import PRIORITIES, Priority, here
from .._core.deadline import check_seconds
from .._core.errors import UsageError
from .._core.meter import name_of_code
from .._core.permission import Permission
from ..lanes.worker_hooks import in_worker
from .call import Call, PermittedCall, ToolCall, WorkerFrame, nested
from .placement import runner
from .policies.approve import check_approver
from .policies.limit import Limit, check_count
from .policies.retry import Retry

if in_worker():  # a worker runs nothing but bodies of tools, and those call no tools
    here.frame = WorkerFrame()

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
    limit: int | Limit | Sequence[Limit] | None = None
    retry: Retry | None = None
    effect: Effect = "write"
    priority: Priority | None = None
    approve: Approver | None = None
    tools: Sequence[Tool[..., Any] | BoundTool[..., Any]] | None = None


class Tool(Generic[P, R]):
    """A function under ``@tool`` or ``@agent``; calling it makes a ``Call``. To foreign code it's an async function.

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
    __globals__: dict[str, Any]
    __defaults__: tuple[Any, ...] | None
    __kwdefaults__: dict[str, Any] | None

    def __init__(self, body: Callable[P, Any], asked: Options, *, is_tool: bool) -> None:
        self.body = body
        self.counted_as = name_of_code(body)  # under which key a runtime keeps its meter
        self.asked = asked
        self.is_tool = is_tool
        self.is_stream = is_stream(body)
        self.is_bare = False
        self._call: type[Call[Any]] = ToolCall if is_tool else Call if asked.tools is None else PermittedCall
        self.kind = "tool" if is_tool else "agent"
        _look_like(self, body)
        self.lane: LaneName = _lane_for(self, asked)
        self.priority: Priority | None = asked.priority
        _check(self, asked)
        self.limit = Limit(asked.limit, name=self.__name__) if isinstance(asked.limit, int) else asked.limit or None
        self._origin: tuple[Tool[P, R], dict[str, Any]] | None = None
        self.permission = None if asked.tools is None else _permission(self, asked.tools)
        self.run: Callable[[Call[Any]], Coroutine[Any, Any, Any]] = runner(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[None, None, R]:
        """Make a call; it runs when awaited.

        Typed as the coroutine it is, and not as ``Call``: only then do mypy and pyright report a forgotten ``await``.
        Without ``Any`` in it: of an argument with one mypy gives up choosing an overload, and ``gather`` would be Any.
        """
        # A body that awaits is told when it does; one that can't await would take the call for the result.
        if here.frame is not None and here.frame.is_tool:
            raise nested(here.frame, self)
        return self._call(self, args, kwargs or NO_ARGUMENTS)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Make a call, like calling the tool itself, typed as the ``Call`` it is."""
        return cast(Call[R], self(*args, **kwargs))

    @functools.cached_property
    def run_asking(self) -> Callable[[Call[Any]], Coroutine[Any, Any, Any]]:
        """The way its calls run inside a block that wants somebody asked first; composed when the first one does."""
        return self.run if self.asked.approve is not None else runner(self, asking=True)

    def permitting(self, outer: Account | None) -> Account | None:
        """Return the account for what a call of this agent calls, inside that of the call; *outer* without tools=."""
        if self.permission is None:
            return outer
        return Account(f"agent {self.__name__}", outer, {}, None, None, say_nothing, self.permission)

    def options(self, **changes: Any) -> Self:
        """Return the same tool with other options: ``fetch.options(timeout=30)(url)``.

        Limits are shared with the original unless ``limit=`` is among the changes. Options are those of the decorator.
        """
        unknown = changes.keys() - Options.__dataclass_fields__.keys()
        if unknown:
            raise UsageError(f"{self.__name__}.options has no {sorted(unknown)}; there are {list(Options.__slots__)}")
        shared: dict[str, Any] = {} if "limit" in changes or self.limit is None else {"limit": self.limit}
        changed = type(self)(self.body, replace(self.asked, **changes, **shared), is_tool=self.is_tool)
        changed._origin = (self, changes)
        return changed

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self: Tool[Concatenate[Any, Q], R], instance: object, owner: type | None = None) -> BoundTool[Q, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else BoundTool(self, instance)

    def __reduce__(self) -> str | tuple[Any, ...]:
        # By name, as functions are pickled; what options() made is made again from the tool that has the name.
        return self.__qualname__ if self._origin is None else (_with_options, self._origin)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.__qualname__}, lane {self.lane}>"


class BoundTool(Generic[P, R]):
    """A tool that is a method, bound to its instance."""

    def __init__(self, tool: Tool[Any, R], instance: Any) -> None:
        self.__func__ = tool
        self.__self__ = instance
        self.__module__ = tool.__module__
        self.__doc__ = tool.__doc__
        self.__annotations__ = tool.__annotations__  # a class has some of its own, once anybody has asked for them

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        return self  # bound already. By this inspect.isroutine knows a method, and the OpenAI Agents SDK a function

    @property
    def body(self) -> Callable[P, Any]:
        """The untouched method."""
        return types.MethodType(self.__func__.body, self.__self__)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[None, None, R]:
        """Make a call; it runs when awaited."""
        return self.__func__(self.__self__, *args, **kwargs)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Make a call; see ``Tool.call``."""
        return cast(Call[R], self(*args, **kwargs))

    def options(self, **changes: Any) -> BoundTool[P, R]:
        """Return the same method with other options; see ``Tool.options``."""
        return BoundTool(self.__func__.options(**changes), self.__self__)

    @property
    def __signature__(self) -> inspect.Signature:
        # Resolved here: of a __signature__ inspect returns strings as they are, whatever eval_str asks for.
        try:
            signature = inspect.signature(self.__func__, eval_str=True)
        except Exception:  # a name that is there for type checkers only
            signature = inspect.signature(self.__func__)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    def __getattr__(self, name: str) -> Any:
        # What a method borrows from its function, as it does: name, code, annotations, lane, options asked for. Not
        # __wrapped__, which would have inspect take the unbound function's signature; and not copying and pickling.
        if name in _NOT_BORROWED or (name.startswith("__") and name not in _FUNCTION_LIKE):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
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


_NOT_BORROWED = ("__func__", "__self__")
_FUNCTION_LIKE = (
    "__name__", "__qualname__", "__code__", "__globals__", "__defaults__", "__kwdefaults__", "__annotations__",
)  # fmt: skip


def _with_options(tool: Tool[P, R], changes: dict[str, Any]) -> Tool[P, R]:
    return tool.options(**changes)


def is_async(function: Any) -> bool:
    """Say whether the body waits on the event loop."""
    function = _plain(function)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def is_stream(function: Any) -> bool:
    """Say whether the body is a generator, of either kind."""
    function = _plain(function)
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _plain(function: Any) -> Any:
    """Return the function behind an object with ``__call__`` or a ``functools.partial``: ``inspect`` sees no other."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or not callable(function):
        return function
    return type(function).__call__


def _look_like(tool: Tool[Any, Any], body: Any) -> None:
    """Give *tool* what functions have; its code object says coroutine function, or async generator function."""
    tool.__name__ = getattr(body, "__name__", type(body).__name__)
    tool.__qualname__ = getattr(body, "__qualname__", tool.__name__)
    tool.__module__ = getattr(body, "__module__", __name__)
    tool.__doc__ = getattr(body, "__doc__", None)
    tool.__annotations__ = getattr(body, "__annotations__", {})
    tool.__globals__ = getattr(inspect.unwrap(body), "__globals__", {})  # where names in its annotations are looked up
    tool.__defaults__ = getattr(body, "__defaults__", None)
    tool.__kwdefaults__ = getattr(body, "__kwdefaults__", None)
    tool.__wrapped__ = body  # type: ignore[attr-defined]
    for name, value in vars(body).items() if inspect.isfunction(body) else ():  # what other decorators left there
        if not hasattr(tool, name):
            setattr(tool, name, value)
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
    if asked.grace is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise ValueError(
            f"grace of {name} must be a number of seconds; without a bound a body could keep its caller waiting"
        )
    if asked.priority is not None and asked.priority not in PRIORITIES:
        raise ValueError(f"priority={asked.priority!r} of {name}: there are {', '.join(map(repr, PRIORITIES))}")
    if asked.effect not in get_args(Effect):
        raise ValueError(f"effect={asked.effect!r} of {name}: there are {', '.join(map(repr, get_args(Effect)))}")
    _check_limit(asked.limit, name)
    _check_permissions(tool, asked)
    if asked.retry is not None and not isinstance(asked.retry, Retry):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"retry={asked.retry!r} of {name} must be Retry(on=...): say which errors are worth it")
    if asked.retry is not None and asked.effect == "write":
        raise UsageError(
            f"retry= on {name}, which is effect='write' (the default): a second attempt could do it twice. Say "
            "effect='read' if repeating does no harm, or effect='keyed' and send call_key() with the request."
        )
    _check_annotation(tool)
    if tool.lane == "inline" and (asked.timeout is not None or asked.attempt_timeout is not None):
        raise UsageError(
            f"{name} runs inline, on the loop itself, where no time-out can fire; leave lane= or timeout= out"
        )
    if asked.idle_timeout is not None and not is_stream(tool.body):
        raise UsageError(f"idle_timeout= of {name} bounds the wait for each piece of a stream; {name} is no generator")
    if asked.retry is not None and is_stream(tool.body):
        raise UsageError(f"retry= on {name}, which streams: a second attempt would send its pieces again")


def _check_permissions(tool: Tool[Any, Any], asked: Options) -> None:
    name = tool.__name__
    if asked.approve is not None:
        check_approver(asked.approve, f"approve= of {name}")
        if not tool.is_tool:
            raise UsageError(f"approve= is for tools, which have effects, and {name} is an agent; put it on its tools")
    if asked.tools is None:
        return
    if tool.is_tool:
        raise UsageError(f"tools= says what an agent may call, and {name} is a tool, which calls no other")
    if isinstance(asked.tools, str) or not isinstance(asked.tools, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"tools= of {name} must be a list of tools and agents, not {asked.tools!r}")
    for one in asked.tools:
        if not isinstance(one, (Tool, BoundTool)):  # pyright: ignore[reportUnnecessaryIsInstance]
            shown = getattr(one, "__qualname__", None) or repr(one)
            raise UsageError(f"tools= of {name}: {shown} is no tool and no agent; put @tool or @agent on it")


def _permission(agent: Tool[Any, Any], tools: Sequence[Tool[..., Any] | BoundTool[..., Any]]) -> Permission:
    known: list[tuple[str, Callable[..., Any], object | None]] = []
    for one in tools:
        if isinstance(one, BoundTool):
            known.append((one.__name__, one.__func__.body, one.__self__))
        else:
            known.append((one.__name__, one.body, None))
    return Permission(agent.__name__, agent.body, known)


def _check_limit(limit: object, name: str) -> None:
    several: tuple[Any, ...] = (*limit,) if isinstance(limit, (list, tuple)) else ()  # pyright: ignore[reportUnknownVariableType]
    if several and not all(isinstance(one, Limit) for one in several):
        raise UsageError(f"limit={limit!r} of {name}: several limits are Limit objects, all of them")
    if not several and not isinstance(limit, (int, Limit, type(None))):
        raise UsageError(f"limit={limit!r} of {name} must be a whole number, or a Limit to share, or several of these")
    if isinstance(limit, int):
        check_count(limit, f"limit of {name}", 1)


_RETURNS = re.compile(r"\W*(?:\w+\.)*(Async)?(Iterator|Generator|Iterable|Coroutine|Awaitable)\b")


def _check_annotation(tool: Tool[Any, Any]) -> None:
    """Refuse a return annotation by which type checkers would take the calls for something they are not."""
    annotation = tool.__annotations__.get("return")
    if annotation is None or inspect.iscoroutinefunction(_plain(tool.body)):
        return
    told = annotation if isinstance(annotation, str) else getattr(get_origin(annotation) or annotation, "__name__", "")
    found = _RETURNS.match(told)
    if found is None:
        return
    name, kind = tool.__name__, (found[1] or "") + found[2]
    if found[2] == "Iterable":
        if tool.is_stream:
            raise UsageError(
                f"{name} is a generator annotated {kind}, which type checkers can't tell from a list: annotate "
                f"{kind.replace('Iterable', 'Iterator')}, and its calls are streams for them too"
            )
    elif found[2] in ("Coroutine", "Awaitable"):
        raise UsageError(f"{name} is a plain def that returns a {kind}, which nobody would await: write async def")
    elif not tool.is_stream:
        raise UsageError(
            f"{name} is annotated {kind} and is no generator: its calls would look like streams and aren't. Use yield "
            "(yield from what it returns now), or return a list and annotate that."
        )


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
        raise UsageError(
            f"@{decorator} is for functions, not {function!r}; options go by name: @{decorator}(timeout=5)"
        )
