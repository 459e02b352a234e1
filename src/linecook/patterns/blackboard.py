"""Blackboard: experts add to one shared value, each when it can."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from .._core.errors import Undecided
from .._core.scope import scope
from ..state.shared import Shared
from ..tools.many import gather

R = TypeVar("R")


async def blackboard(
    start: R,
    experts: Iterable[Callable[[Shared[R]], Coroutine[Any, Any, object]]],
    *,
    done: Callable[[R], bool],
) -> R:
    """Let several experts work on one value, each adding what it can when it can, until it is *done*.

    When: nobody knows beforehand in which order the parts of an answer will come, or who can add to whose.

    Args:
      start: what stands on the board at first; a value that nobody changes in place: a tuple, a frozen dataclass.
      experts: each is given the board, a ``Shared``, and runs in a task of its own. It waits with ``board.wait_for``
        and writes with ``board.update``, from the loop or from a thread; a write that would undo another's is noticed.
      done: says whether a value is the answer; then the experts are cancelled. It is asked of what stands there when
        the loop comes to it, so what is done should stay done: experts add, and take nothing away.

    Returns:
      The value that was done.

    Raises:
      Undecided: all experts have returned, and it isn't.
      UsageError: *start*, or what an expert writes, can be changed in place.
      what an expert raises, or ``done``; the others are cancelled.

    Source: Erman et al., "The Hearsay-II Speech-Understanding System", 1980.
    """
    board = Shared(start, name="board")

    async def work() -> None:
        await gather((expert(board) for expert in experts), limit=None)
        if not done(board.value):
            raise Undecided("all experts have returned, and what stands on the board isn't done")

    async with scope() as working:
        working.start(work())
        answer = await board.wait_for(done)
        working.cancel()
    return answer
