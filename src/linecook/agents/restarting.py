"""Who is started anew when an agent has ended, alone or with others, and when it is better not to.

Semantics are those of Erlang/OTP's supervisors, whose words these are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .._core.callframe import shown
from .._core.errors import LinecookError
from .._core.outcome import Failed, Ok, Outcome
from .child import Child, why_of
from .ending import end_for_a_while
from .intensity import Intensity

if TYPE_CHECKING:
    from .team import Team

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Who is started anew with an agent that failed: nobody else, all, or those that were started after it."""


class Restarting:
    """Decides for one team.

    Attributes:
      intensity: how many restarts there were, and may be.
      regrouping: the task that ends and starts several together; None while none does.
    """

    def __init__(self, team: Team, strategy: Strategy, intensity: Intensity) -> None:
        self._team = team
        self._strategy: Strategy = strategy
        self.intensity = intensity
        self.regrouping: asyncio.Task[None] | None = None

    def ended(self, child: Child, outcome: Outcome[Any], *, by_us: bool) -> None:
        """One start of *child* has ended; called in the last step of its task.

        Args:
          child: the agent.
          outcome: how it ended.
          by_us: whether we had asked it to.
        """
        team = self._team
        if child.regrouping and not (child.is_stopping or team.is_ending or child.terms.restart == "temporary"):
            if not by_us:
                team.telling.restarts(child, outcome)
            child.settle_messages(outcome, starts_anew=True)  # with its siblings, when all of them have ended
            return
        again = not by_us and self._is_started_anew(child, outcome)
        child.settle_messages(outcome, starts_anew=again)
        if not again or (child.is_stopping and not child.waiting):
            if not (team.is_ending or child.is_stopping or by_us or child.is_as_it_should(outcome)):
                team.telling.fails(child, outcome)
            team.end_for_good(child, outcome, why_of(outcome))
        elif self.intensity.allows(team.loop.time()):
            team.telling.restarts(child, outcome)
            self._start_anew(child)
        else:
            cause = None if isinstance(outcome, Ok) else outcome.error
            how = "returned" if cause is None else f"raised {shown(cause)}"
            team.fail(child, outcome, f"more than {self.intensity}, the last of {child.name}, which {how}", cause)

    def _is_started_anew(self, child: Child, outcome: Outcome[Any]) -> bool:
        """Say whether *child*, which nobody had asked to end, is to be started again.

        While the team ends politely, or it alone is stopped so, that is for the messages that wait still.
        """
        team = self._team
        if not team.is_ending and not child.is_stopping:
            return child.wants_restart(outcome)
        politely = not team.is_ending or team.is_ending_politely
        return politely and child.terms.restart != "temporary" and not child.is_as_it_should(outcome)

    def _start_anew(self, child: Child) -> None:
        team = self._team
        if self._strategy == "one_for_one" or len(team.children) == 1 or team.is_ending:
            self._begin_again(child)
            return
        for other in self._group_of(child):
            other.regrouping = True  # from now on: one that fails before its turn comes has no restart of its own
        if self.regrouping is None:
            self.regrouping = team.loop.create_task(self._regroup(), context=team.context.copy())

    def _begin_again(self, child: Child) -> None:
        try:
            child.begin_again()
        except LinecookError as error:  # a budget around the team is used up
            why = f"{child.name} could not be started anew: {error}"
            self._team.fail(child, Failed(error, child.call), why, error)

    async def _regroup(self) -> None:
        """End the agents that go with one that failed, the last started first, and start all of them in order.

        Others may fail meanwhile, and bring theirs with them: who is to be ended is looked at anew each time.
        """
        team = self._team
        try:
            while not team.is_ending and (group := self._group()):
                last = next((child for child in reversed(group) if child.task is not None), None)
                if last is not None:
                    await end_for_a_while(last)
                    continue
                for child in group:
                    if not team.is_ending:
                        self._begin_again(child)
        finally:
            self.regrouping = None

    def _group(self) -> list[Child]:
        """Return those that are to be started anew together; one that is stopped was, once it has ended."""
        return [child for child in self._team.children
                if child.regrouping and not (child.is_stopping and child.task is None)]  # fmt: skip

    def _group_of(self, failed: Child) -> list[Child]:
        """Return those that go with *failed*, itself included, in the order of starting."""
        children = list(self._team.children)
        return children if self._strategy == "one_for_all" else children[children.index(failed) :]
