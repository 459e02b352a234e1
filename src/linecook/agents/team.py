"""A block that owns agents, restarts those that fail, and says so upwards when that doesn't help.

The semantics are those of Erlang/OTP's supervisors, which have had forty years to be right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Never, TypeVar, overload

from .._core.callframe import call_from
from .._core.context import Due, Frame, current_deadline, current_frame
from .._core.deadline import check_seconds, move_on_after
from .._core.endings import reason_of
from .._core.errors import TeamFailed, UsageError
from .._core.events import Events
from .._core.outcome import Cancelled, Outcome
from .._core.supervise import held_back, see_end
from .._runtime import current
from ..tools.policies.limit import check_count
from .child import Child
from .courier import courier_of
from .ending import end_hard
from .intensity import Intensity
from .mailbox import Full, Restart, Terms
from .recipe import Recipe
from .ref import Ref
from .restarting import Restarting, Strategy
from .starting import check_start, terms_from
from .telling import Telling

if TYPE_CHECKING:
    from .dead_letters import DeadLetter

M = TypeVar("M")

_POLITELY = "stopped"


class TeamFrame(Frame):
    """The place of a team in the tree of calls."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def took_back(self) -> None:
        """A restart took a number of its own, and has kept the old one: paths don't depend on who failed before."""
        self._children -= 1


class Team:
    """A block that owns agents; made by ``team()``.

    Attributes:
      agents: those that have not ended for good, in the order of starting.
      grace: seconds for a polite end, all agents together; see ``team``.
    """

    def __init__(self, name: str, restart: Strategy, intensity: Intensity, grace: float) -> None:
        self.grace = grace
        self.frame = TeamFrame(name)
        self.deadline: Due | None = None
        self.children: dict[Child, None] = {}
        self._restarting = Restarting(self, restart, intensity)
        self.telling = Telling(Events())  # until it is entered, and knows whose events to tell
        self._host: asyncio.Task[Any] | None = None
        self._open = False
        self._requests_before = 0
        self._ending: str | None = None  # why its agents are asked to end, once they are
        self._failure: TeamFailed | None = None
        self._woke_host = False
        self._waiters: dict[asyncio.Future[None], None] = {}
        self._terms: dict[tuple[Any, ...], Terms] = {}

    # -- for those who use it ------------------------------------------------------------------------------------

    @overload
    def start(
        self, call: Recipe[M], *, restart: Restart = "transient", capacity: int = 1000, when_full: Full = "wait",
        deliveries: int = 1,
    ) -> Ref[M]: ...  # fmt: skip
    @overload
    def start(self, call: Coroutine[Any, Any, Any], *, restart: Restart = "transient") -> Ref[Never]: ...
    def start(
        self,
        call: Any,
        *,
        restart: Restart = "transient",
        capacity: int = 1000,
        when_full: Full = "wait",
        deliveries: int = 1,
    ) -> Any:
        """Start an agent now, in a task and context of its own: ``cook = team.start(slow_cook(delay=2))``.

        It inherits from the team, not from whoever starts it: context variables as they were where the team was
        opened, the deadlines around the team, its tenant, budget and priority.

        Args:
          call: a call of an agent, without its inbox. Of one that takes no messages too: it can be stopped, and waited
            for.
          restart: when it is started anew, from the same arguments. ``"permanent"``: whenever it ends.
            ``"transient"``: when it fails, or somebody else cancels it. ``"temporary"``: never.
          capacity: most messages that wait in its mailbox, ≥ 1.
          when_full: what happens to one more: its sender ``"wait"``s; ``"refuse"`` raises ``Refused`` there;
            ``"drop_oldest"`` lets it in and drops the one that has waited longest; ``tell`` never waits then, so a
            loop that does nothing else gives nobody a turn: have it ``await asyncio.sleep(0)``.
          deliveries: how often a message is handed to the agent before it is set aside, ≥ 1. With 1 a message that the
            agent fails on is never handed out again, since nobody knows how much of it was done; its asker gets
            ``AgentFailed``. More for work that may be repeated: the last attempt's failure is then what he gets.

        Returns:
          What others send to. It stays the same over restarts; messages that wait are handed to the next start.

        Raises:
          UsageError: the team is not open, or is ending; or *call* is no call that could be started anew.
          TypeError, ValueError: an option that makes no sense, or arguments that don't fit the agent.
        """
        child = self._child_from(call, restart, capacity, when_full, deliveries)
        self.children[child] = None
        try:
            child.begin()
        except BaseException:
            self.children.pop(child, None)
            raise
        ref: Ref[Any] = Ref(child)  # Ref[Any](...) would take a microsecond more (idle_agents)
        return ref

    def _child_from(self, call: Any, *asked: Any) -> Child:
        frame = call_from(call)
        try:
            if self._open and asyncio._get_running_loop() is not self.loop:
                raise UsageError(f"{frame!r} can't be started from here: the team lives on another event loop")
            if not self._open or self._ending is not None:
                why = "is ending" if self._open else "has ended, or was not entered with 'async with'"
                raise UsageError(f"{frame!r} can't be started: the team {why}")
            try:
                terms = self._terms.get(asked)
            except TypeError:  # a list among them: what no option is
                terms = None
            if terms is None:
                terms = self._terms[asked] = terms_from(frame, *asked)
            check_start(frame, terms)
        except BaseException:
            frame.discard()
            raise
        takes_messages = isinstance(frame, Recipe)
        child = Child(self, frame, self._courier, terms)
        if not takes_messages:
            child.close("it has no inbox: its first parameter is none")
        return child

    @property
    def agents(self) -> list[Ref[Any]]:
        """Those that have not ended for good, in the order of starting."""
        return [Ref[Any](child) for child in self.children]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The latest 1,000 messages that no agent has handled, oldest first, each with its cause.

        What was dropped from a full mailbox, what an agent failed on, and what still waited when it ended.
        """
        return list(self.telling.dead)

    def statistics(self) -> dict[str, Any]:
        """Return how many agents live, restarts in all and the bound, and dead letters in all."""
        intensity = self._restarting.intensity
        return {
            "agents": len(self.children),
            "restarts": intensity.total,
            "intensity": intensity.most,
            "period": intensity.period,
            "dead_letters": self.telling.dead_in_all,
        }

    async def wait(self) -> None:
        """Wait until every agent has ended for good, or the runtime takes in no new work (Ctrl-C under ``run``)."""
        runtime = current()
        while self.children and not runtime.draining:
            waiter = self.loop.create_future()
            self._waiters[waiter] = None
            try:
                await waiter
            finally:
                self._waiters.pop(waiter, None)

    @property
    def is_ending_politely(self) -> bool:
        """Whether they were, and may handle what waits for them."""
        return self._ending == _POLITELY

    @property
    def is_ending(self) -> bool:
        """Whether its agents were asked to end."""
        return self._ending is not None

    def __repr__(self) -> str:
        return f"<Team {self.frame.path}: {len(self.children)} agents>"

    # -- the block -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Team:
        if self._host is not None:
            raise UsageError("a team is entered once; make a new one with team()")
        self.loop = asyncio.get_running_loop()
        self._courier = courier_of(self.loop)
        self._host = asyncio.current_task()
        self._requests_before = 0 if self._host is None else self._host.cancelling()
        parent = current_frame.get()
        if parent is not None:
            parent.adopt(self.frame)
        self.context: Context = copy_context()
        self.deadline = current_deadline.get()
        runtime = current()
        runtime.watch_fanout(self)
        self.telling = Telling(runtime.events)
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        raised = error
        error = await self._finish(error)
        self._open = False
        self.telling.flush()
        asked_by_us = self._take_back_our_request()
        failure, self._failure = self._failure, None
        ours = isinstance(error, asyncio.CancelledError) and asked_by_us
        if failure is not None and (error is None or ours):
            try:
                raise failure
            finally:
                del failure, error, raised
        if failure is not None and error is not None:
            error.add_note(f"the team had failed as well: {failure}")
        if error is not None and error is not raised:
            raise error  # a cancellation that came while the block waited for its agents
        return False

    async def _finish(self, error: BaseException | None) -> BaseException | None:
        """See every agent end; return the exception that is to leave the block, if any."""
        if error is None and self._failure is None:
            try:
                await self._end_politely()
            except asyncio.CancelledError as cancelled:
                error = cancelled.with_traceback(None)
        if self._failure is None:
            self._ending = _reason_of(error)
        before = self._requests_of_others()
        await self.end_hard(list(self.children), self._ending or "sibling")
        if self._restarting.regrouping is not None:  # it waits for agents, and these have ended
            await see_end([self._restarting.regrouping], self.grace)
        if self._requests_of_others() > before and (self._woke_host or not isinstance(error, asyncio.CancelledError)):
            return held_back()
        return error

    def _requests_of_others(self) -> int:
        """Return how many cancellations of the block's task are open that the team itself didn't ask for."""
        return 0 if self._host is None else self._host.cancelling() - self._requests_before - self._woke_host

    def _take_back_our_request(self) -> bool:
        """Take back the cancellation by which a failing team woke its block; True when no other is open."""
        if not self._woke_host or self._host is None:
            return False
        return self._host.uncancel() <= self._requests_before

    async def _end_politely(self) -> None:
        """Have each agent handle what waits for it and end, the last started first; ``grace`` seconds for all."""
        self._ending = _POLITELY
        with move_on_after(self.grace):
            for child in reversed(list(self.children)):
                child.stop_soon("its team is ending")
                await child.wait_unless_restarting()

    async def end_hard(self, children: list[Child], reason: str) -> None:
        """Cancel *children*, the last first, and see them end; whoever resists goes to the loop's supervisor."""
        await end_hard(children, reason)
        for child in children:
            self.end_for_good(child, Cancelled(reason, child.call, work="not started"), "it was stopped")

    # -- when an agent ends --------------------------------------------------------------------------------------

    def ended(self, child: Child, outcome: Outcome[Any], *, by_us: bool) -> None:
        """One start of *child* has ended; see ``Restarting.ended``."""
        self._restarting.ended(child, outcome, by_us=by_us)

    def end_for_good(self, child: Child, outcome: Outcome[Any], why: str) -> None:
        """*child* is not started anew; forget it."""
        child.end(outcome, why)
        self.children.pop(child, None)
        if not self.children:
            self._wake_waiters()

    def fail(self, child: Child, outcome: Outcome[Any], why: str, cause: BaseException | None) -> None:
        """Restarts don't help: end all agents, and tell the block."""
        if self._failure is not None:
            return
        self._failure = failure = TeamFailed(
            f"{self.frame.path} gave up: {why}. See to the cause, or allow more: team(intensity=, period=)."
        )
        failure.__cause__ = cause
        self._ending = "sibling"
        self.end_for_good(child, outcome, "its team has failed")
        for other in reversed(list(self.children)):
            other.stop_soon("its team has failed")
            other.cancel("sibling")
        if self._host is not None and not self._host.done():
            self._woke_host = True
            self._host.cancel("sibling: the team has failed")

    # -- for the runtime -----------------------------------------------------------------------------------------

    over = True  # no fan-out: it doesn't count as one

    def drain(self) -> None:
        """The runtime takes in no new work: whoever waits for the agents to end waits no more."""
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def team(
    *,
    name: str = "team",
    restart: Strategy = "one_for_one",
    intensity: int | None = 3,
    period: float = 5.0,
    grace: float = 5.0,
) -> Team:
    """Open a block that owns agents and restarts those that fail.

    As in ``async with team() as kitchen: cook = kitchen.start(slow_cook(delay=2))``.

    Leaving the block ends them, the last started first: each handles what waits for it, takes nothing new, and has
    ended before the next is asked. What has not ended after ``grace`` seconds is cancelled. When the block raises, or
    is cancelled, all are cancelled at once.

    Args:
      name: how paths and reports call it.
      restart: who is started anew when one fails. ``"one_for_one"``: that one. ``"one_for_all"``: all, since they
        depend on each other. ``"rest_for_one"``: that one and those started after it, which depend on it.
      intensity: most restarts in ``period`` seconds, ≥ 0. One more, and the team fails: all agents are cancelled, and
        the block raises ``TeamFailed``; an agent whose body opened it then fails itself, and its own team restarts
        it. None for no bound.
      period: seconds, above 0.
      grace: seconds in all for the polite end, ≥ 0; 0 cancels at once. An agent without an ``Inbox`` has nothing by
        which it could hear that it is to end: one that doesn't return by itself is waited for until ``grace`` is over,
        and those started before it are then cancelled with it. End such a one first, with ``await ref.stop(grace=0)``,
        or give the team a small ``grace``.

    Raises:
      TeamFailed: on leaving the block, when more restarts were needed than ``intensity`` allows.
      TypeError, ValueError: an option that makes no sense.

    Its agents' failures are told to the log, at most one a second of the same kind, and as events.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"name of team must be a string, not {name!r}")
    if restart not in ("one_for_one", "one_for_all", "rest_for_one"):
        raise ValueError(f"restart of team must be 'one_for_one', 'one_for_all' or 'rest_for_one', not {restart!r}")
    check_count(intensity, "intensity of team", 0)
    check_seconds(period, "period of team")
    if not period:
        raise ValueError("period of team must be above 0 seconds")
    check_seconds(grace, "grace of team")
    if grace is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise ValueError("grace of team must be a number of seconds: an agent could else keep it from ending")
    return Team(name, restart, Intensity(intensity, period), grace)


def _reason_of(error: BaseException | None) -> str:
    """Return why agents are cancelled when *error* leaves the block."""
    if error is None:
        return "shutdown"
    return reason_of(error) if isinstance(error, asyncio.CancelledError) else "sibling"
