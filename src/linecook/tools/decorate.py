"""``@tool``: a function becomes a leaf of the program, with a lane and policies of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from .._core.account import Approver
from .._core.callframe import CallFrame
from .._core.context import Priority, frame_here
from .._core.errors import UsageError
from ..lanes.worker_hooks import in_worker, key_in_worker
from .policies.limit import Limit
from .policies.retry import Retry
from .stream import StreamTool
from .tool import Effect, LaneName, Options, Tool, check_function, is_stream

P = ParamSpec("P")
R = TypeVar("R")
Piece = TypeVar("Piece")


class Decorator(Protocol):
    """What ``tool(...)`` and ``agent(...)`` with options return."""

    @overload
    def __call__(self, function: Callable[P, AsyncGenerator[Piece, Any]], /) -> StreamTool[P, Piece]: ...
    @overload
    def __call__(self, function: Callable[P, AsyncIterator[Piece]], /) -> StreamTool[P, Piece]: ...
    @overload
    def __call__(self, function: Callable[P, Generator[Piece, Any, Any]], /) -> StreamTool[P, Piece]: ...
    @overload
    def __call__(self, function: Callable[P, Iterator[Piece]], /) -> StreamTool[P, Piece]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Tool[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Tool[P, R]: ...


def make(function: Any, asked: Options, decorator: str) -> Any:
    """Return *function* as a tool or agent with the options *asked*."""
    check_function(function, decorator)
    kind: Any = StreamTool if is_stream(function) else Tool
    return kind(function, asked, is_tool=decorator == "tool")


@overload
def tool(function: Callable[P, AsyncGenerator[Piece, Any]], /) -> StreamTool[P, Piece]: ...
@overload
def tool(function: Callable[P, AsyncIterator[Piece]], /) -> StreamTool[P, Piece]: ...
@overload
def tool(function: Callable[P, Generator[Piece, Any, Any]], /) -> StreamTool[P, Piece]: ...
@overload
def tool(function: Callable[P, Iterator[Piece]], /) -> StreamTool[P, Piece]: ...
@overload
def tool(function: Callable[P, Coroutine[Any, Any, R]], /) -> Tool[P, R]: ...
@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *,
    lane: LaneName | None = None,
    timeout: float | None = None,
    attempt_timeout: float | None = None,
    idle_timeout: float | None = None,
    grace: float = 0.5,
    limit: int | Limit | Sequence[Limit] | None = None,
    retry: Retry | None = None,
    effect: Effect = "write",
    priority: Priority | None = None,
    approve: Approver | None = None,
) -> Decorator: ...
def tool(function: Any = None, /, **options: Any) -> Any:
    """Make a function a tool: a leaf whose calls run in a lane, within bounds, and can be timed out and retried.

    Calling it makes a ``Call``, which runs when awaited. ``fetch.body`` is the untouched function, and
    ``fetch.options(timeout=30)(url)`` a call with other options.

    Args:
      lane: where the body runs. ``None``: an ``async def`` on the event loop, a ``def`` on a thread. ``"process"`` for
        CPU work, ``"inline"`` for a ``def`` of microseconds that never waits (it runs on the loop itself).
      timeout: seconds for the whole call as its caller sees it, waiting for a place, attempts and back-off included.
        ``None``: only the deadlines around it count. ``0``: only if it needn't wait at all.
      attempt_timeout: seconds for one attempt, from the moment its body starts.
      idle_timeout: seconds between two pieces of a stream (of a generator).
      grace: seconds a cancelled ``async`` body has for its clean-up. Threads and processes get none.
      limit: most calls in flight at once; a number of its own, a ``Limit`` shared with other tools, or several of
        these: whatever order they are named in, all tools take them in one.
      retry: which failures are worth another attempt; refused for ``effect="write"``.
      effect: what a second run would do. ``"read"``: no harm. ``"write"``: harm (the default: nobody said otherwise).
        ``"keyed"``: none if the same ``call_key()`` is sent along. ``"tx"``: commits with the journal.
      priority: ``"interactive"``, ``"normal"`` or ``"batch"``; None inherits the caller's.
      approve: an async function, tool or agent that is shown each call and says whether it may run; see ``approving``.

    Raises:
      UsageError, ValueError: at decoration, when the options contradict the function or each other.

    At the deadline the caller is answered, whatever the body does: an async body is cancelled and has ``grace``, a
    process is killed, a thread is abandoned, named and replaced. A tool calls no other tool.
    """
    _check_names(options, "tool")
    if function is None:
        return lambda wrapped: make(wrapped, Options(**options), "tool")  # pyright: ignore[reportUnknownLambdaType, reportUnknownVariableType]
    return make(function, Options(**options), "tool")


def _check_names(options: dict[str, Any], decorator: str) -> None:
    there_are = [name for name in Options.__dataclass_fields__ if name != "tools"]  # that one is an agent's
    unknown = options.keys() - set(there_are)
    if unknown:
        known = ", ".join(there_are)
        raise UsageError(f"@{decorator} has no option {', '.join(sorted(unknown))}; there are {known}")


def call_key() -> str:
    """Return the key of the tool call under way, the same for all its attempts: send it along with the request.

    A service that honours such an idempotency key does the work once however often it is asked. The key is random,
    32 hexadecimal digits, made when first asked for.

    Raises:
      UsageError: no tool call is under way here; or it runs in a worker process, and its tool doesn't say
        ``effect="keyed"``: only then the key travels there.
    """
    if in_worker():
        key = key_in_worker()
        if key is None:
            raise UsageError(
                "call_key() isn't known in this worker process: the key travels only with a tool that says "
                'effect="keyed". Say so: @tool(lane="process", effect="keyed").'
            )
        return key
    frame = frame_here()
    if not isinstance(frame, CallFrame) or not frame.is_tool:
        raise UsageError("call_key() belongs inside the body of a tool; there is no tool call under way here")
    return frame.key()
