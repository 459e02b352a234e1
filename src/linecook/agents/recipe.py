"""Agents that live long: ``cook(delay=2)`` is a call whose first argument, the inbox, the team supplies."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, get_origin

from .._core.context import Frame, set_frame
from .._core.endings import cancellation_requested, operators_word
from .._core.errors import UsageError
from .._core.outcome import Cancelled, Ok, Outcome, failure_from
from .._core.running import left_of
from ..tools.call import Call, PermittedCall
from ..tools.tool import Options, Tool, is_async, is_stream
from .inbox import Inbox

M = TypeVar("M")
P = ParamSpec("P")


class Owner(Protocol):
    """Who is told when a start has ended; no bound method, which would take 64 bytes for each (idle_agents)."""

    def start_ended(self, running: Any, /) -> None: ...


class Recipe(Call[None], Generic[M]):
    """A call of an agent that takes messages: ``team.start(cook(delay=2))`` starts it, and starts it anew if it fails.

    It runs in a team, which supplies the inbox; awaiting it is an error that says so. It is itself the coroutine of its
    task: a coroutine of ours around the body would take 256 bytes for each idle agent (benchmarks: idle_agents).
    """

    __slots__ = ("_owner", "inbox", "outcome", "reason", "task")

    _coroutine: Any  # never None once it has started
    _owner: Owner | None
    inbox: Inbox[Any]
    outcome: Outcome[None] | None
    reason: str | None
    task: asyncio.Task[Any] | None

    def start(self, parent: Frame, inbox: Inbox[Any], context: Context, owner: Owner) -> None:
        """Begin in a task of its own; *owner* is told within the very step in which it ends.

        Raises:
          TypeError: the arguments don't fit the function.
          BudgetExceeded: a budget around it refuses the call.
          NotAllowed: an agent around it may not call this one.
        """
        refusal = self._take(parent)
        if refusal is not None:
            refusal.send(None)  # raises it
        self.inbox = inbox
        self.outcome = self.reason = self.task = None
        self._owner = owner
        self._coroutine = self.tool.body(inbox, *self.args, **self.kwargs)
        context.run(set_frame, self)
        task = inbox._loop.create_task(self, name=self.tool.__name__, context=context)
        if self.outcome is None:  # an eager task may have ended
            self.task = task

    def send(self, value: Any) -> Any:
        try:
            return self._coroutine.send(value)
        except StopIteration as ended:
            outcome: Outcome[None] = Ok(ended.value, self)
        except BaseException as error:
            outcome = self._outcome_of(error)
        self._end(outcome)
        raise StopIteration

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
    ) -> Any:
        error = kind if isinstance(kind, BaseException) else value if isinstance(value, BaseException) else kind()
        try:
            return self._coroutine.throw(error)
        except StopIteration as ended:
            outcome: Outcome[None] = Ok(ended.value, self)
        except BaseException as raised:
            outcome = self._outcome_of(raised)
        self._end(outcome)
        raise StopIteration

    def _outcome_of(self, error: BaseException) -> Outcome[None]:
        if isinstance(error, asyncio.CancelledError):
            reason = self.reason
            if reason is None and cancellation_requested(asyncio.current_task()):
                reason = operators_word(error) or "caller"
            if reason is not None:
                return Cancelled(reason, self, work=left_of(self))
        return failure_from(self.told(error), self)

    def _end(self, outcome: Outcome[None]) -> None:
        if self.running < 0.0:
            self.running += monotonic()
        self.end_as(outcome)

    # As _core/running.py's Running, which runs the agents that take no messages.

    def cancel(self, reason: str) -> None:
        """Ask the body to end; does nothing when it has ended. The first reason given is the one reported."""
        if self.outcome is not None:
            return
        if self.reason is None:
            self.reason = reason
        if self.task is not None:
            self.task.cancel(reason)

    def end_as(self, outcome: Outcome[None]) -> None:
        """Settle the outcome, once; of a body that resists, the real end will be ignored."""
        if self.outcome is None:
            self.outcome = outcome
            owner, self._owner = self._owner, None
            assert owner is not None
            owner.start_ended(self)


class PermittedRecipe(Recipe[M], PermittedCall[None]):
    """A call of an agent that takes messages and has ``tools=``."""

    __slots__ = ()


class MailboxAgent(Tool[P, None], Generic[M, P]):
    """An agent whose first parameter is an ``Inbox``; calling it makes a ``Recipe`` for ``team.start``."""

    def __init__(self, body: Callable[Concatenate[Inbox[M], P], Any], asked: Options, *, is_tool: bool = False) -> None:
        _check(body, asked)
        super().__init__(body, asked, is_tool=is_tool)  # type: ignore[arg-type]
        self._call = Recipe if asked.tools is None else PermittedRecipe
        self.run = _not_without_a_team
        self.is_bare = False

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Recipe[M]:
        """Make a call without the inbox, which the team supplies; it runs when handed to ``team.start``."""
        made: Any = super().__call__(*args, **kwargs)
        recipe: Recipe[M] = made
        return recipe

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Recipe[M]:
        """Make a call, like calling the agent itself."""
        return self(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        signature = inspect.signature(self.body)
        return signature.replace(parameters=list(signature.parameters.values())[1:])


def _check(body: Any, asked: Options) -> None:
    """Refuse what makes no sense for an agent that lives as long as its team."""
    name = getattr(body, "__qualname__", body)
    if not is_async(body) or is_stream(body):
        kind = "generator (message.send streams an answer)" if is_stream(body) else "plain def"
        raise UsageError(f"{name} takes messages: it is an async def that reads its inbox with 'async for', no {kind}")
    allowed = Options(grace=asked.grace, priority=asked.priority, tools=asked.tools)
    wrong = [field for field in Options.__slots__ if getattr(asked, field) != getattr(allowed, field)]
    if wrong:
        raise UsageError(
            f"{wrong[0]}= on {name}, which takes messages and lives as long as its team: give the questions a "
            "time-out, ref.ask(..., timeout=5), and options for the work to the tools that do it"
        )


async def _not_without_a_team(call: Call[Any]) -> Any:
    raise UsageError(
        f"{call!r} takes messages, so it runs in a team: async with team() as t: ref = t.start({call!r}). "
        "The team supplies the inbox, and ref is what others send to."
    )


def takes_messages(function: Any) -> bool:
    """Say whether the first parameter of *function* is an ``Inbox``.

    Raises:
      UsageError: another parameter is one.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    places = [place for place, each in enumerate(parameters) if _is_inbox(each.annotation, function)]
    if places and places[0] > 0:
        raise UsageError(
            f"{getattr(function, '__qualname__', function)}: the inbox is the first parameter of an agent that takes "
            "messages, and no method's. Write a function, and pass what it needs as further arguments."
        )
    return bool(places)


def _is_inbox(annotation: Any, function: Any) -> bool:
    if not isinstance(annotation, str):
        return (get_origin(annotation) or annotation) is Inbox
    name = annotation.strip("'\" ").partition("[")[0]
    return name.rpartition(".")[2] == "Inbox" or getattr(function, "__globals__", {}).get(name) is Inbox
