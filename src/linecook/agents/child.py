"""One agent of a team: what it is started from, how often, and what becomes of the messages it held when it ended."""

from __future__ import annotations

import asyncio
from time import monotonic
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from .._core.callframe import CallFrame, shorten, shown
from .._core.context import Due
from .._core.deadline import check_seconds, move_on_after
from .._core.errors import AgentFailed, MailboxClosed, UsageError
from .._core.outcome import Cancelled, Failed, Ok, Outcome, TimedOut
from .._core.running import Running
from .._core.supervise import cancel_requests, raise_if_cancelled_since
from .courier import Courier
from .inbox import Inbox
from .mailbox import AnyMessage, Mailbox, Terms
from .recipe import Recipe

if TYPE_CHECKING:
    from .team import Team


class Child(Mailbox):
    """An agent under a team, over all its starts, with its mailbox: closed from the start if it takes no messages.

    Attributes:
      outcome: how it ended for good; None until then.
      regrouping: it was ended because of a sibling, and is about to be started with that one.
      starts: how often it was started.
    """

    __slots__ = ("_running", "_stopping", "outcome", "regrouping", "starts", "team")

    def __init__(self, team: Team, call: CallFrame, courier: Courier, terms: Terms) -> None:
        super().__init__(call, courier, terms)
        self.team = team
        self._running: Running[Any] | Recipe[Any] | None = None
        self._stopping = False
        self.outcome: Outcome[Any] | None = None
        self.regrouping = False
        self.starts = 0

    # -- starting ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start it for the first time.

        Raises:
          TypeError: the arguments don't fit the function.
          BudgetExceeded: a budget around the team refuses one more call.
        """
        self._begin(self.call)

    def begin_again(self) -> None:
        """Start it from its recipe. Its place in the tree of calls stays: paths don't tell how often others failed."""
        before: Any = self.call
        call = before.again()
        try:
            self._begin(call)
        except BaseException:
            self.call = before
            raise
        finally:
            call.number = before.number
            self.team.frame.took_back()

    def _begin(self, call: CallFrame) -> None:
        team = self.team
        context = team.context.copy()
        self.starts = call.attempts = self.starts + 1
        call.running = -monotonic()
        self.call = call
        self.regrouping = False
        if isinstance(call, Recipe):
            self._running = call
            call.start(team.frame, Inbox(self), context, self)
        else:
            body = call.open(team.frame, context)
            self._running = running = Running(call, self.start_ended)
            running.start(body, team.loop, context)

    # -- ending --------------------------------------------------------------------------------------------------

    @property
    def task(self) -> asyncio.Task[Any] | None:
        """The task it runs in; None when it doesn't run."""
        running = self._running
        return None if running is None or running.outcome is not None else running.task

    @property
    def deadline(self) -> Due | None:
        return self.team.deadline

    @property
    def grace(self) -> float:
        """Seconds that it has for its clean-up when it is cancelled."""
        asked = getattr(getattr(self.call, "tool", None), "asked", None)
        return 0.5 if asked is None else float(asked.grace)

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end for good."""
        return self._stopping

    def cancel(self, reason: str) -> None:
        """Ask it to end."""
        if self._running is not None:
            self._running.cancel(reason)

    def abandon(self, reason: str) -> None:
        """Wait no more for a start that won't end: the loop's supervisor keeps its task, and reports it."""
        running = self._running
        assert running is not None
        running.end_as(Cancelled(reason, self.call, work="abandoned"))

    def start_ended(self, running: Running[Any] | Recipe[Any]) -> None:
        """One start of it has ended; called in its last step."""
        if running is not self._running or running.outcome is None or self.outcome is not None:
            return
        if running.task is None and not self.team.is_ending:
            # An eager task has ended in its first step, inside the call that began it: a restart here would nest.
            running.task = asyncio.current_task()
            self.team.loop.call_soon(self.start_ended, running)
            return
        self._running = None
        self.team.ended(self, running.outcome, by_us=running.reason is not None)

    def wants_restart(self, outcome: Outcome[Any]) -> bool:
        """Say whether such an end is followed by a new start."""
        if self.terms.restart == "temporary":
            return False
        return self.terms.restart == "permanent" or not self.is_as_it_should(outcome)

    def is_as_it_should(self, outcome: Outcome[Any]) -> bool:
        """Say whether it has returned, or ended because it was given no more messages."""
        if isinstance(outcome, Failed) and isinstance(outcome.error, MailboxClosed):
            return self.closed is not None and outcome.error.call is self.call
        return isinstance(outcome, Ok)

    def settle_messages(self, outcome: Outcome[Any], *, starts_anew: bool) -> None:
        """See to the messages it held when it ended: put back, or given up and told why."""
        call = self.call
        if not isinstance(call, Recipe):
            return
        held = call.inbox.at_hand()
        call.inbox.revoke()
        if not held:
            return
        if self.is_as_it_should(outcome):
            for message in held:
                message.pass_over()
            self._lose([message for message in held if not message.is_over], None)
            return
        error = None if isinstance(outcome, Ok) else outcome.error
        if error is not None:  # it is kept, and would keep all that the agent had at hand: 1,000 times
            clear_frames(error.__traceback__)
        again = [each for each in held if starts_anew and each.deliveries < self.terms.deliveries]
        self._lose([each for each in held if each not in again], error)
        self.put_back(again)

    def _lose(self, messages: list[AnyMessage], cause: BaseException | None) -> None:
        for message in messages:
            what = "ended" if cause is None else "failed"
            reason = "" if cause is None else f": {shown(cause)}"
            error = AgentFailed(f"{self.name} {what} before it had answered {shorten(message.body)}{reason}",
                                call=self.call, work="stopped")  # fmt: skip
            error.__cause__ = cause
            self.set_aside(message.body, f"the agent {what} on it", cause or error)
            message.lose(error)

    def set_aside(self, body: object, why: str, error: BaseException | None) -> None:
        self.team.telling.set_aside(self, body, why, error)

    def end(self, outcome: Outcome[Any], why: str) -> None:
        """It has ended for good: nobody will take its messages."""
        if self.outcome is not None:
            return
        self.outcome = outcome
        self.close(why)
        self.empty()
        if self._rare is not None:
            waiters, self._rare.waiters = self._rare.waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    # -- asked from outside --------------------------------------------------------------------------------------

    async def wait(self) -> Outcome[Any]:
        """Wait until it has ended for good."""
        while self.outcome is None:
            waiter = self.team.loop.create_future()
            self.rare.waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self.rare.waiters:
                    self.rare.waiters.remove(waiter)
        return self.outcome

    def stop_soon(self, why: str) -> None:
        """Ask it politely to end: no new messages, and those that wait are its last."""
        self._stopping = True
        self.close(why)

    async def stop(self, grace: float | None) -> Outcome[Any]:
        """End it, politely for *grace* seconds, then hard."""
        check_seconds(grace, "grace of stop")
        if self.task is not None and self.task is asyncio.current_task():
            raise UsageError(f"{self.name} stops itself and would wait for its own end: let it return instead")
        before = cancel_requests()
        self.stop_soon("it was stopped")
        with move_on_after(self.team.grace if grace is None else grace):
            return await self.wait_unless_restarting()
        await self.team.end_hard([self], "caller")
        raise_if_cancelled_since(before)
        return await self.wait()

    async def wait_unless_restarting(self) -> Outcome[Any]:
        """Wait until it has ended for good; one that was about to be started anew ends here."""
        if self.task is None and self.outcome is None:
            self.team.end_for_good(self, Cancelled("caller", self.call, work="not started"), "it was stopped")
        return await self.wait()

    @property
    def state(self) -> str:
        """What it does; see ``Ref.statistics``."""
        if self.outcome is not None:
            return "ended"
        if self.task is None:
            return "restarting"
        return "waiting" if self.reader is not None else "busy"

    def statistics(self) -> dict[str, Any]:
        """See ``Ref.statistics``."""
        rare = self._rare
        return {
            "state": self.state,
            "starts": self.starts,
            "waiting": self.waiting,
            "capacity": self.terms.capacity,
            "waiting_for_room": self.waiting_for_room,
            "deferred": 0 if rare is None else len(rare.deferred),
            "taken": self.taken,
            "late": 0 if rare is None else rare.late,
        }


def why_of(outcome: Outcome[Any]) -> str:
    """Return in words why an agent that ended so takes no more messages."""
    match outcome:
        case Ok():
            return "it has ended"
        case Failed(error):
            return f"it has failed ({shorten(error)})"
        case TimedOut():
            return f"it has failed ({shorten(outcome.error)})"
        case Cancelled(reason):
            return f"it was cancelled ({reason})"
