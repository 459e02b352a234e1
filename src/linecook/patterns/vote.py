"""Vote and quorum: as soon as the result can't change, the open votes are cancelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Hashable, Iterable
from typing import Any, TypeVar

from .._core.errors import Undecided, UsageError
from .._core.outcome import Ok
from ..tools.completed import as_completed

V = TypeVar("V", bound=Hashable)


async def vote(ballots: Iterable[Coroutine[Any, Any, V]], *, quorum: int | None = None) -> V:
    """Ask several at once and return the answer that *quorum* of them give, as soon as that many have.

    When: single answers are unreliable and comparable. The votes that can't change the result any more are cancelled;
    so is everything, once no answer can reach the quorum.

    Args:
      ballots: calls, all started at once; answers are compared by ``==``, so bring them to one form first.
      quorum: how many equal answers decide, ≥ 1; None for more than half of all ballots. A call that fails is a vote
        for nobody.

    Raises:
      Undecided: no answer can reach the quorum any more; the message counts the votes, failures are its notes.
      UsageError: there are no ballots, or fewer than the quorum.

    Source: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", 2022.
    """
    calls = list(ballots)
    needed = len(calls) // 2 + 1 if quorum is None else quorum
    if not 1 <= needed <= len(calls):
        for call in calls:
            call.close()
        raise UsageError(f"quorum={needed} of {len(calls)} ballots: it must be between 1 and their number")
    votes: Counter[V] = Counter()
    failures: list[BaseException] = []
    async with as_completed(calls, limit=None) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, Ok):
                votes[outcome.value] += 1
                if votes[outcome.value] >= needed:
                    return outcome.value
            else:
                failures.append(outcome.error)
            open_votes = len(calls) - votes.total() - len(failures)
            if max(votes.values(), default=0) + open_votes < needed:
                break
    raise _undecided(votes, failures, needed)


def _undecided(votes: Counter[Any], failures: list[BaseException], needed: int) -> Undecided:
    counted = ", ".join(f"{number} for {answer!r}" for answer, number in votes.most_common(5)) or "no votes"
    error = Undecided(f"no answer can have {needed} votes any more: {counted}, {len(failures)} failed")
    for failure in failures[:5]:
        error.add_note(f"a vote failed: {failure!r}")
    return error
