"""``@agent``: an async function that orchestrates, calling tools and other agents."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from .._core.context import Priority
from .._core.errors import UsageError
from ..tools.decorate import make
from ..tools.stream import StreamTool
from ..tools.tool import BoundTool, Options, Tool, check_function, is_async
from .inbox import Inbox
from .recipe import MailboxAgent, takes_messages

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M")
Piece = TypeVar("Piece")


class AgentDecorator(Protocol):
    """What ``agent(...)`` with options returns."""

    @overload
    def __call__(self, function: Callable[P, AsyncGenerator[Piece, Any]], /) -> StreamTool[P, Piece]: ...
    @overload
    def __call__(self, function: Callable[P, AsyncIterator[Piece]], /) -> StreamTool[P, Piece]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Inbox[M], P], Coroutine[Any, Any, None]], /
    ) -> MailboxAgent[M, P]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Tool[P, R]: ...


@overload
def agent(function: Callable[P, AsyncGenerator[Piece, Any]], /) -> StreamTool[P, Piece]: ...
@overload
def agent(function: Callable[P, AsyncIterator[Piece]], /) -> StreamTool[P, Piece]: ...
# That returns None: else a first parameter of type Any, which takes an inbox too, would look like one.
@overload
def agent(function: Callable[Concatenate[Inbox[M], P], Coroutine[Any, Any, None]], /) -> MailboxAgent[M, P]: ...
@overload
def agent(function: Callable[P, Coroutine[Any, Any, R]], /) -> Tool[P, R]: ...
@overload
def agent(
    *,
    timeout: float | None = None,
    grace: float = 0.5,
    priority: Priority | None = None,
    tools: Sequence[Tool[..., Any] | BoundTool[..., Any]] | None = None,
) -> AgentDecorator: ...
def agent(
    function: Any = None,
    /,
    *,
    timeout: float | None = None,
    grace: float = 0.5,
    priority: Priority | None = None,
    tools: Sequence[Tool[..., Any] | BoundTool[..., Any]] | None = None,
) -> Any:
    """Make an async function an agent: orchestration on the event loop that calls tools and agents.

    Calling it makes a ``Call``, which runs when awaited or handed to ``gather``, ``settle``, a scope. A generator
    makes a ``Stream``. An agent may be given to another one as a tool. One whose first parameter is an ``Inbox`` lives
    long and takes messages one at a time: ``team.start(cook(delay=2))`` starts it and supplies the inbox.

    Args:
      timeout: seconds for the whole call. The body then runs in a task of its own, and its caller is answered by
        ``timeout`` + ``grace`` whatever the body does. ``None``: only the deadlines around it count. Not for one that
        takes messages: it lives as long as its team.
      grace: seconds a cancelled body has for its clean-up.
      priority: ``"interactive"``, ``"normal"`` or ``"batch"``, for it and all it calls; None inherits the caller's.
      tools: the tools and agents that it may call, and no others; ``[]`` for none, None for no bound of its own. It
        holds for all that runs under it: an agent that it calls may call what both allow. Anything else raises
        ``NotAllowed``. It may call itself. A tool is allowed with any ``options``, a method for the instance that it is
        bound to. Functions that aren't tools run as Python runs them, and messages to other agents are their business:
        this is a bound for agents that choose among tools, not a sandbox for code.

    Raises:
      UsageError, ValueError: at decoration, when the function isn't async or an option makes no sense.
    """
    asked = Options(timeout=timeout, grace=grace, priority=priority, tools=tools)
    if function is None:
        return functools.partial(_make, asked=asked)
    return _make(function, asked)


def _make(function: Any, asked: Options) -> Any:
    check_function(function, "agent")
    if takes_messages(function):
        return MailboxAgent[Any, Any](function, asked)
    made = make(function, asked, "agent")
    if not is_async(function):
        raise UsageError(
            f"{made.__name__} is a plain def; an agent waits for others, so it is an async def. If it does the work "
            "itself, it is a tool: write @tool."
        )
    return made
