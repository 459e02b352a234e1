"""Somebody is asked before a tool runs: ``@tool(approve=...)``, or ``approving(...)`` for all tools with effects.

What is approved is what runs: the arguments are copied before anybody sees them, and the body gets copies that nobody
else ever had.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..._core.account import Account, AccountFrame, Approver, account_of, say_nothing
from ..._core.callframe import CallFrame, shorten
from ..._core.context import Frame, current_frame, frame_here
from ..._core.endings import reason_of
from ..._core.errors import NotApproved, UsageError
from ..._core.supervise import see_end, supervisor_of
from ..._runtime import current

if TYPE_CHECKING:
    from ..call import Call
    from ..placement import Runner
    from ..tool import Tool

_log = logging.getLogger("linecook")


def approving(approve: Callable[[Call[Any]], Awaitable[bool | str]]) -> Approving:
    """Ask before any tool with effects runs inside a block.

    ``with approving(ask_a_person):``; ``async with`` does the same.

    Args:
      approve: an async function, a tool or an agent. It is shown the call (``call.name``, ``call.arguments``,
        ``call.path``; printed, it reads like the call in the program) and returns True to let it run. Anything else
        refuses it: False, or text that says why.

    Tools with effects are those that don't say ``effect="read"``; ``@tool(approve=...)`` asks for any tool.
    Blocks inside one another all ask, the nearest first, and a tool's own ``approve`` after them: the first that
    refuses is the last that is asked.

    The wait counts as queued, and within the call's ``timeout``; no place of a ``limit`` is held meanwhile. One answer
    is for all attempts of the call. Calls that run at once ask at once: for one question at a time make the one who is
    asked a tool with ``limit=1``. What *approve* itself calls is asked about by nobody, and bound by no ``tools=``.

    Bound to the arguments: what compares by value (numbers, text, lists, dicts, dataclasses) is copied before it is
    shown, and the body gets a copy of its own, so neither the caller nor whoever approves can change it afterwards.
    What compares by identity (a client, an agent's ``Ref``, the instance of a method) is passed as it is.

    Raises:
      NotApproved: by each call that was refused, or whose arguments can't be copied. ``settle`` returns it.
      UsageError: *approve* isn't asynchronous; or, on entering, the block was entered before, or stands in a tool.
    """
    check_approver(approve, "approving")
    return Approving(approve)


class Approving:
    """A block whose tools with effects are asked about; made by ``approving``."""

    def __init__(self, approve: Approver) -> None:
        self._approve = approve
        self._frame: ApprovingFrame | None = None
        self._token: Token[Frame | None] | None = None

    def __enter__(self) -> Approving:
        if self._frame is not None:
            raise UsageError("this block was entered before; make a new one with approving(...)")
        parent = frame_here()
        if parent is not None and parent.is_tool:
            raise UsageError(f"approving stands inside the tool {parent.name}, which calls no other; put it around")
        self._frame = ApprovingFrame()
        if parent is not None:
            parent.adopt(self._frame)
        outer = account_of(parent)
        self._frame.account = Account("approving", outer, {}, None, None, say_nothing, approver=self._approve)
        self._token = current_frame.set(self._frame)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._frame is not None
        assert self._token is not None
        try:
            current_frame.reset(self._token)
        except ValueError:  # left in another context than it was entered in, as fixtures of tests are
            if current_frame.get() is self._frame:
                current_frame.set(self._frame.parent)

    async def __aenter__(self) -> Approving:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


class ApprovingFrame(AccountFrame):
    """The place of such a block in the tree of calls."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return "approving"


class AskingFrame(Frame):
    """The place from which whoever approves calls others: under the call's parent, and outside what bounds the call."""

    __slots__ = ()

    def __init__(self, call: CallFrame) -> None:
        super().__init__()
        if call.parent is not None:
            call.parent.adopt(self)
        self.account = None

    @property
    def name(self) -> str:
        return "approval"


def check_approver(approve: object, where: str) -> None:
    """Refuse what can't be waited for; *where* is what messages call it.

    Raises:
      UsageError: it isn't callable, or a plain def.
    """
    if not callable(approve):
        raise UsageError(f"{where} takes an async function that is shown the call and returns True, not {approve!r}")
    if inspect.isfunction(approve) and approve.__name__ != "<lambda>" and not inspect.iscoroutinefunction(approve):
        raise UsageError(
            f"{where}: {approve.__qualname__} is a plain def, and would hold up the event loop until somebody answers. "
            "Make it an async def, or put @tool above it: then it runs on a thread."
        )


# -- asking --------------------------------------------------------------------------------------------------------


def approved(run: Runner) -> Runner:
    """Return *run* after everybody who is to be asked has approved."""

    async def run_approved(call: Call[Any]) -> Any:
        await wait_approved(call, call.tool)
        return await run(call)

    return run_approved


def wants_asking(call: CallFrame, tool: Tool[Any, Any]) -> bool:
    """Say whether anybody is to be asked about *call*."""
    return bool(_approvers(call, tool))


def _approvers(call: CallFrame, tool: Tool[Any, Any]) -> list[Approver]:
    account = call.account  # its own and not the nearest above: whoever approves stands outside what bounds the call
    around = () if account is None or not tool.is_tool or tool.asked.effect == "read" else account.approvers
    return [*around, *filter(None, [tool.asked.approve])]


async def wait_approved(call: CallFrame, tool: Tool[Any, Any]) -> None:
    """Ask, and bind *call* to the arguments that were shown.

    Raises:
      NotApproved: somebody refused, or the arguments can't be copied.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    kept = _copies(call, tool)
    call.args, call.kwargs = _copies(call, tool)  # to be looked at; whoever looks may keep them, and change them later
    token = current_frame.set(AskingFrame(call))
    try:
        for approve in _approvers(call, tool):
            await _ask(approve, call, tool.asked.grace)
    finally:
        current_frame.reset(token)
        call.queued += loop.time() - began
        call.args, call.kwargs = kept


async def _ask(approve: Approver, call: CallFrame, grace: float) -> None:
    shown = repr(call)
    name = getattr(approve, "__qualname__", type(approve).__name__)
    asked: Any = approve(call)
    if not inspect.isawaitable(asked):
        raise UsageError(f"{name}, asked about {shown}, returned {asked!r} at once; it must be an async function")
    events = current().events
    if events.heard:
        events.emit("approval.asked", call, whom=name, shown=shown)
    answer: Any = await wait_answer(asked, shown, grace)
    if answer is not True:
        why = "refused" if answer is False else f"refused: {answer}" if isinstance(answer, str) else _no_answer(answer)
        if events.heard:
            events.emit("approval.refused", call, whom=name, shown=shown, why=answer if isinstance(answer, str) else "")
        raise NotApproved(f"{shown} did not run: {name} was asked, and {why}", call=call)
    if events.heard:
        events.emit("approval.given", call, whom=name, shown=shown)


async def wait_answer(asked: Awaitable[Any], shown: str, grace: float) -> Any:
    """Wait for *asked* in a task of its own: the call is answered in time, also when whoever approves resists."""
    task: asyncio.Task[Any] = asyncio.ensure_future(asked)
    try:
        await asyncio.wait([task])
    except (asyncio.CancelledError, GeneratorExit) as error:
        task.cancel(reason_of(error) if isinstance(error, asyncio.CancelledError) else "caller")
        is_closed = isinstance(error, GeneratorExit)  # then nothing may be waited for
        if is_closed or await see_end([task], grace):
            supervisor_of(task.get_loop()).adopt(task, f"approval of {shown}", "caller", grace)
        elif not task.cancelled() and (failure := task.exception()) is not None:
            _log.warning("the approval of %s was cancelled, and failed in its clean-up", shown, exc_info=failure)
        raise
    return task.result()


def _no_answer(answer: object) -> str:
    return f"returned {shorten(answer)}, which is neither True nor False nor text that says why not"


# -- arguments that nobody else can change -------------------------------------------------------------------------


def _copies(call: CallFrame, tool: Tool[Any, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    try:
        args = [value if place == 0 and _is_method_of(value, tool) else _copy(value, {})
                for place, value in enumerate(call.args)]  # fmt: skip
        return tuple(args), {name: _copy(value, {}) for name, value in call.kwargs.items()}
    except Exception as error:
        raise NotApproved(
            f"{call!r} did not run: its arguments can't be copied ({type(error).__name__}: {error}), so what "
            "is approved could differ from what runs. Pass plain data, or give the class a __deepcopy__.",
            call=call,
        ) from error


def _is_method_of(value: object, tool: Tool[Any, Any]) -> bool:
    return getattr(inspect.getattr_static(type(value), tool.__name__, None), "body", None) is tool.body


def _copy(value: Any, seen: dict[int, Any]) -> Any:
    """Return a copy of *value* as far as it compares by value; *seen* maps what was copied already, by id."""
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
    made: Any
    if id(value) in seen:
        return seen[id(value)]
    if kind is list:
        made = seen[id(value)] = list[Any]()
        made.extend(_copy(item, seen) for item in value)
    elif kind is dict:
        made = seen[id(value)] = dict[Any, Any]()
        made.update((_copy(key, seen), _copy(item, seen)) for key, item in value.items())
    elif kind in (tuple, set, frozenset):
        remake: Any = kind
        made = remake([_copy(item, seen) for item in value])
    elif callable(value) or not _compares_by_value(kind):
        made = value
    elif dataclasses.is_dataclass(kind):
        made = seen[id(value)] = copy.copy(value)
        for field in dataclasses.fields(kind):
            if hasattr(value, field.name):
                object.__setattr__(made, field.name, _copy(getattr(value, field.name), seen))
    else:
        made = copy.deepcopy(value)
    return made


def _compares_by_value(kind: type[Any]) -> bool:
    return any("__eq__" in one.__dict__ for one in kind.__mro__[:-1])
