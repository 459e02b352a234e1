"""Every exception linecook raises itself.

LinecookError
├─ UsageError                 the program's text is wrong; says what to write instead (never retried)
│   ├─ AlreadyRun               a call was awaited a second time
│   ├─ NestedTool               a tool called a tool
│   ├─ NotPortable              a function, argument, result or exception can't travel to a process
│   └─ AsksItself               an agent asks itself, or agents ask each other in a circle: nobody could ever answer
├─ CallError                  a call ended badly; ``.call`` says which
│   ├─ TimedOutError            also a ``TimeoutError``: whose deadline, how long queued, how long run
│   ├─ BodyExited               the body raised what would end the loop or look like cancellation
│   ├─ CallCancelled            the call behind a handle was cancelled, not the task that waits for it
│   ├─ LaneLost                 the worker died under the call
│   ├─ Refused                  a bound was reached, and the call was not willing to wait
│   ├─ BudgetExceeded           a budget is used up, or a call is too deep or one too many for it
│   ├─ NotAllowed               an agent above the call may call no more than its ``tools=``, and that isn't among them
│   ├─ NotApproved              whoever was asked didn't approve of the call, with these arguments
│   ├─ ResourceFailed           a resource could not be opened, or did not close
│   ├─ MailboxClosed            the agent has ended or is being stopped: it takes no messages any more
│   ├─ AgentFailed              the agent failed before it had answered
│   ├─ NoReply                  the agent went on to its next message without an answer to this one
│   └─ TooSlow                  a subscriber of a topic was too far behind, and is cut off, as it had asked for
├─ LostUpdate                 a shared value would be overwritten by somebody who has not seen it
├─ Conflict                   a shared value moved under an edit or transaction
├─ TeamFailed                 more agents of a team failed than its intensity allows; the last failure is its cause
├─ Undecided                  a pattern of ``linecook.patterns`` came to its end or its bound without an answer
├─ TooManyFailures            ``fail_on`` was reached; ``.settled`` holds the outcomes so far
├─ Interrupted                Ctrl-C or shutdown came before every item had started
├─ EscapedControl             a program that is explored did something real
├─ ExplorationFailed          also an ``AssertionError``: a schedule failed
└─ ReplayMismatch             the same decisions led elsewhere

A body's own exception is never wrapped when the call is awaited: ``await fetch(u)`` raises what ``fetch`` raised, with
a note that names call, lane and attempt. Cancellation is ``asyncio.CancelledError``; its message is the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .context import Frame

Work = Literal["finished", "not started", "stopped", "abandoned"]
"""What became of a body: ran to its end, never began, was ended, or runs on unseen (a thread, a task that resists)."""


class LinecookError(Exception):
    """The root of every error that linecook raises itself."""


class UsageError(LinecookError, TypeError):
    """The program asks for something that can't be; the message says what to write instead."""


class AlreadyRun(UsageError):
    """A call was awaited, or handed to linecook, a second time. ``call.again()`` makes a new one."""


class NestedTool(UsageError):
    """A tool called a tool. Make the outer one an agent, or use the inner one's ``.body``."""


class NotPortable(UsageError):
    """A function, argument, result or exception can't travel to a worker process; the message names the culprit."""


class AsksItself(UsageError):
    """An agent asks itself, or agents ask each other in a circle, without a deadline: nobody could ever answer."""


class CallError(LinecookError):
    """A call ended badly for a reason that isn't its body's own exception.

    Attributes:
      call: the call it happened to, or None where there was none.
      work: what became of the body.
    """

    def __init__(self, message: str, *, call: Frame | None = None, work: Work = "finished") -> None:
        super().__init__(message)
        self.call = call
        self.work: Work = work

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, {"work": self.work})


class TimedOutError(CallError, TimeoutError):
    """A deadline passed before the call ended.

    Attributes:
      after: seconds that the deadline had granted.
      whose: what the deadline belonged to, such as ``"timeout=5 of fetch"``.
      queued: seconds spent waiting for a place (lane, limit, back-off).
      running: seconds the last attempt's body ran; 0.0 when it never began.
      attempt: number of the attempt that was under way, from 1; 0 when none was.
    """

    def __init__(
        self,
        message: str,
        *,
        call: Frame | None = None,
        work: Work = "stopped",
        after: float = 0.0,
        whose: str = "",
        queued: float = 0.0,
        running: float = 0.0,
        attempt: int = 0,
    ) -> None:
        super().__init__(message, call=call, work=work)
        self.after = after
        self.whose = whose
        self.queued = queued
        self.running = running
        self.attempt = attempt

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("work", "after", "whose", "queued", "running", "attempt")
        return _rebuild, (type(self), self.args, {name: getattr(self, name) for name in names})


class BodyExited(CallError):
    """A body raised what must not spread.

    That is ``StopIteration``, ``SystemExit``, ``KeyboardInterrupt``, ``GeneratorExit``, or a ``CancelledError`` that
    nobody asked for. Left alone these would end the loop, hang the caller or pass for a cancellation. The original is
    ``__cause__``.
    """


class CallCancelled(CallError):
    """The call behind an awaited handle was cancelled by somebody; it is not the waiting task that was cancelled."""


class LaneLost(CallError):
    """The worker process died under the call; the message says of which signal, when that is known.

    Attributes:
      exitcode: the worker's exit code, negative for a signal, None when unknown.
    """

    def __init__(
        self, message: str, *, call: Frame | None = None, work: Work = "stopped", exitcode: int | None = None
    ) -> None:
        super().__init__(message, call=call, work=work)
        self.exitcode = exitcode


class Refused(CallError):
    """A bound was reached (queue, waiting room, lost threads) and the call was turned away before it began."""

    def __init__(self, message: str, *, call: Frame | None = None, work: Work = "not started") -> None:
        super().__init__(message, call=call, work=work)


class BudgetExceeded(CallError):
    """A budget around the call is used up, or doesn't allow one so deep or so many: the call did not begin.

    Attributes:
      what: ``"usd"``, ``"tokens"``, ``"calls"``, ``"depth"`` or ``"fan_out"``.
      spent: how much of that was spent; of ``"depth"`` and ``"fan_out"``, how many there were already.
      granted: how much the budget held.
    """

    def __init__(
        self,
        message: str,
        *,
        call: Frame | None = None,
        work: Work = "not started",
        what: str = "",
        spent: float = 0.0,
        granted: float = 0.0,
    ) -> None:
        super().__init__(message, call=call, work=work)
        self.what = what
        self.spent = spent
        self.granted = granted

    def __reduce__(self) -> tuple[Any, ...]:
        names = ("work", "what", "spent", "granted")
        return _rebuild, (type(self), self.args, {name: getattr(self, name) for name in names})


class NotAllowed(CallError):
    """An agent that the call runs under has ``tools=``, and this tool or agent is none of them: the call did not begin.

    Attributes:
      agent: the name of the agent whose ``tools=`` leaves it out.
    """

    def __init__(self, message: str, *, call: Frame | None = None, work: Work = "not started", agent: str = "") -> None:
        super().__init__(message, call=call, work=work)
        self.agent = agent

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, {"work": self.work, "agent": self.agent})


class NotApproved(CallError):
    """Whoever ``approve=`` or ``approving`` asks didn't approve of the call: its body did not begin."""

    def __init__(self, message: str, *, call: Frame | None = None, work: Work = "not started") -> None:
        super().__init__(message, call=call, work=work)


class ResourceFailed(CallError):
    """A resource could not be opened; the original error is ``__cause__``."""


class LostUpdate(LinecookError):
    """A write that would overwrite what its writer has not seen; nothing was written. Read again, or use ``update``.

    Attributes:
      loss: the two accesses, the write between them, and the awaits (a ``Loss``; its text is the message).
    """

    def __init__(self, message: str, *, loss: Any = None) -> None:
        super().__init__(message)
        self.loss = loss


class Conflict(LinecookError):
    """A shared value was changed by somebody else under an edit, or again and again under a function; nothing was
    written. Begin the edit anew.
    """


class MailboxClosed(CallError):
    """The agent has ended, or is being stopped: it takes no messages any more, and this one was not handled."""


class AgentFailed(CallError):
    """The agent failed, or was cancelled, before it had answered; what it raised is ``__cause__``."""


class NoReply(CallError):
    """The agent took the question and went on to its next message without ``message.reply``."""


class TooSlow(CallError):
    """A subscriber of a topic was too far behind, and is cut off: it was subscribed so."""


class TeamFailed(LinecookError):
    """More agents of a team had to be restarted than its intensity allows; the last failure is ``__cause__``."""


class Undecided(LinecookError):
    """Agents worked together, and came to their end or their bound without an answer; the message says how."""


class TooManyFailures(LinecookError):
    """``fail_on`` was reached: the rest was cancelled, and nothing that had ended is lost.

    Attributes:
      settled: the outcomes in input order; items that never began are ``Cancelled``.
    """

    def __init__(self, message: str, *, settled: Sequence[Any]) -> None:
        super().__init__(message)
        self.settled = settled


class Interrupted(LinecookError):
    """Shutdown (Ctrl-C under ``run``) came before every item had started; what had started was finished."""


class EscapedControl(LinecookError):
    """A program that is explored did something real: a socket, a process, a thread, a wait that blocks the loop."""


class ExplorationFailed(LinecookError, AssertionError):
    """Raised by ``Exploration.check`` when a schedule failed; its text is the report."""


class ReplayMismatch(LinecookError):
    """The same decisions led elsewhere: the program has changed, or depends on what isn't under control."""


def _rebuild(kind: type[CallError], args: tuple[Any, ...], fields: dict[str, Any]) -> CallError:
    return kind(*args, **fields)


_PUBLIC = (
    LinecookError,
    UsageError,
    AlreadyRun,
    NestedTool,
    NotPortable,
    AsksItself,
    CallError,
    TimedOutError,
    BodyExited,
    CallCancelled,
    LaneLost,
    Refused,
    BudgetExceeded,
    NotAllowed,
    NotApproved,
    ResourceFailed,
    LostUpdate,
    Conflict,
    MailboxClosed,
    AgentFailed,
    NoReply,
    TooSlow,
    TeamFailed,
    Undecided,
    TooManyFailures,
    Interrupted,
    EscapedControl,
    ExplorationFailed,
    ReplayMismatch,
)
for _kind in _PUBLIC:  # tracebacks and pickles show the public path
    _kind.__module__ = "linecook.errors"
