"""What counts as a failure of a schedule, and how each is recognised."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..._core.errors import CallCancelled, UsageError
from .mistakes import EscapedControl, InjectedFault, ReplayMismatch
from .threads.control import Endless

if TYPE_CHECKING:
    from .exploration import Kind
    from .loop.loop import ExploredLoop

_OTHER_LOOP = re.compile(r"is bound to a different event loop|attached to a different loop|Event loop is closed")
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
_KEEPERS = (os.path.join(_OURS, "tools", "resource.py"), os.path.join(_OURS, "_core", "supervise.py"))


@dataclass(slots=True)
class Found:
    """What was wrong with one schedule.

    Attributes:
      kind, message, error: as of ``Failure``.
      loss: the ``Loss`` of a lost update.
    """

    kind: Kind
    message: str
    error: BaseException | None = None
    loss: Any = None

    def is_like(self, other: Found | None) -> bool:
        """Say whether *other* is the same failure: one that a smaller schedule may stand for."""
        return other is not None and self.kind == other.kind and type(self.error) is type(other.error)


class Watch:
    """Looks at the invariant: after each step once it has held for the first time, and at the end.

    Before it has held the program may still be setting things up: what it reads needn't exist yet. One that takes an
    argument is given main's result, at the end.
    """

    __slots__ = ("_has_held", "_invariant", "_takes_result", "violation")

    def __init__(self, invariant: Callable[..., Any] | None) -> None:
        self._invariant = invariant
        self._has_held = False
        self._takes_result = invariant is not None and _takes_one(invariant)
        self.violation: Found | None = None

    @property
    def is_continual(self) -> bool:
        """Whether it is to be looked at after every step."""
        return self._invariant is not None and not self._takes_result

    def look(self, _handle: object = None) -> None:
        """Look, after a step."""
        if self.violation is None:
            found = self._violated()
            if found is None:
                self._has_held = True
            elif self._has_held:
                self.violation = found

    def at_end(self, main: asyncio.Task[Any]) -> Found | None:
        """Look when *main* has ended, well or by a fault; its result is asked for only if there is one."""
        if self._invariant is None or not main.done():
            return None
        if not self._takes_result:
            return self._violated()
        return None if main.cancelled() or main.exception() is not None else self._violated(main.result())

    def _violated(self, *result: Any) -> Found | None:
        assert self._invariant is not None
        name = getattr(self._invariant, "__name__", repr(self._invariant))
        try:
            holds = self._invariant(*result)
        except (SystemExit, KeyboardInterrupt, EscapedControl, ReplayMismatch):
            raise
        except BaseException as error:
            return Found("invariant", f"the invariant {name} raised {error!r}", error)
        if inspect.iscoroutine(holds) or inspect.isawaitable(holds):
            if inspect.iscoroutine(holds):
                holds.close()
            raise UsageError(
                f"the invariant {name} awaits: that would add steps of its own to the schedule. Write it as a plain "
                "function of what main shares"
            )
        return None if holds is None or holds else Found("invariant", f"the invariant {name} does not hold")


def check_invariant(invariant: Any) -> None:
    """Refuse what can't be an invariant.

    Raises:
      UsageError: it isn't callable, is an async function, or takes more than one argument.
    """
    if invariant is None:
        return
    if not callable(invariant):
        raise UsageError(f"invariant must be a function, not {invariant!r}")
    if inspect.iscoroutinefunction(invariant):
        raise UsageError(
            f"the invariant {getattr(invariant, '__name__', invariant)!s} is an async function: it would add steps of "
            "its own to the schedule. Write it as a plain function of what main shares"
        )
    _takes_one(invariant)


def _takes_one(invariant: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(invariant).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [
        one
        for one in parameters
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) > 1:
        raise UsageError(f"invariant takes no argument, or one: main's result; {invariant!r} takes {len(needed)}")
    return len(needed) == 1


def main_failed(loop: ExploredLoop, main: asyncio.Task[Any]) -> Found | None:
    """Return the exception out of main, unless it is a fault that was injected and went through."""
    if not main.done():
        return None
    if main.cancelled():
        return None if loop.has_injected_cancel else Found("exception", "main was cancelled", asyncio.CancelledError())
    error = main.exception()
    if error is None or is_injected(error) or (loop.has_injected_cancel and isinstance(error, CallCancelled)):
        return None
    if isinstance(error, Endless):
        return Found("hang", str(error), error)
    if isinstance(error, RuntimeError) and _OTHER_LOOP.search(str(error)):
        raise UsageError(
            f"main uses something that belongs to the event loop of another schedule: {error}. Make locks, events, "
            "queues, clients and tasks inside main, so that each schedule has its own"
        ) from error
    return Found(
        "exception", f"main raised {type(error).__name__}: {error}" if str(error) else f"main raised {error!r}", error
    )


def thread_died(name: str, error: BaseException) -> Found:
    """Return that the plain thread *name* died of *error*, which nobody caught."""
    if isinstance(error, Endless):
        return Found("hang", str(error), error)
    return Found("exception", f"the thread {name} died of {error!r}: nobody caught it", error)


def is_injected(error: BaseException | None) -> bool:
    """Say whether *error* is nothing but an injected fault on its way."""
    if isinstance(error, BaseExceptionGroup):
        inner: Any = cast("Any", error).exceptions
        return all(is_injected(one) for one in inner)
    return isinstance(error, InjectedFault) or (error is not None and is_injected(error.__cause__))


def complaint(complaints: Sequence[dict[str, Any]]) -> Found | None:
    """Return the first thing that asyncio told the loop's exception handler."""
    for context in complaints:
        message, error = str(context.get("message", "")), context.get("exception")
        if is_injected(error):
            continue
        who = context.get("task") or context.get("future")
        name = who.get_name() if isinstance(who, asyncio.Task) else ""
        if "never retrieved" in message:
            return Found("exception never retrieved", f"nobody looked at {error!r}{_of(name)}", error)
        if "destroyed but it is pending" in message:
            return Found("leaked task", f"{name or 'a task'} was collected before it had ended: nobody held it")
        return Found("exception", f"{message}: {error!r}", error)
    return None


def unretrieved(loop: ExploredLoop, main: asyncio.Task[Any]) -> Found | None:
    """Return a failure of a task that nobody has looked at by the end."""
    for ref in loop.tasks:
        task: Any = ref()
        if task is not None and task is not main and task.done() and task._log_traceback:
            task._log_traceback = False
            error = task.exception()
            if not is_injected(error):
                return Found("exception never retrieved", f"nobody looked at {error!r}{_of(task.get_name())}", error)
    return None


def swallowed(loop: ExploredLoop) -> Found | None:
    """Return a cancellation after which the task went on with its work, to a good end."""
    for request in loop.cancels:
        if request.is_swallowed():
            name = request.task.get_name()
            did = f"went on, and waited again at {request.went_on_at}"
            if request.is_pythons():
                did = "did not: wait_for had just been answered, and dropped the cancel (Python before 3.12)"
            return Found("swallowed cancellation", f"{name} ({_what(request.task)}) was asked to end, and {did}")
    return None


def leaked(loop: ExploredLoop, main: asyncio.Task[Any]) -> Found | None:
    """Return a task that is alive when main has ended, unless it was asked to end, or main was ended by a fault."""
    if not main.done() or main.cancelled() or is_injected(main.exception()):
        return None
    alive = [task for task in loop.alive() if not task.cancelling() and not _is_keeper(task)]
    if not alive:
        return None
    names = ", ".join(f"{task.get_name()} ({_what(task)})" for task in alive[:5])
    more = f" and {len(alive) - 5} more" if len(alive) > 5 else ""
    return Found("leaked task", f"main has ended, and still alive: {names}{more}")


def _is_keeper(task: asyncio.Task[Any]) -> bool:
    """Say whether *task* is nobody's: linecook's, which keeps a resource or sees to a task that resists; or the loop's,
    which closes an async generator that was dropped. All of these end with the loop.
    """
    code = getattr(task.get_coro(), "cr_code", None)
    if code is None:
        return type(task.get_coro()).__name__ == "async_generator_athrow"
    return code.co_filename in _KEEPERS


def _what(task: asyncio.Task[Any]) -> str:
    coroutine: Any = task.get_coro()
    return getattr(coroutine, "__qualname__", None) or repr(coroutine)


def _of(name: str) -> str:
    return f" of {name}" if name else ""
