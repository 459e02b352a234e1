"""Debate with a judge: answers are attacked before one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ..tools.many import gather

A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R")


async def debate(
    question: A,
    debaters: Sequence[Callable[[A, Sequence[Sequence[B]]], Coroutine[Any, Any, B]]],
    judge: Callable[[A, Sequence[Sequence[B]]], Coroutine[Any, Any, R]],
    *,
    rounds: int = 2,
) -> R:
    """Let several argue in rounds, each having heard the rounds before, and one who has heard all decide.

    When: answers get better by being attacked, and a decision is worth rounds × debaters + 1 calls.

    Args:
      debaters: each is given the question and the rounds so far, and says something. All of a round speak at once.
      judge: is given the question and all rounds, and decides.
      rounds: how often each speaks, ≥ 0. What was said in round *i* by debater *j* is ``said[i][j]``.

    Raises:
      what a debater or the judge raises: the first failure ends the debate, and cancels who speaks at that time.

    Source: Du et al., "Improving Factuality and Reasoning in Language Models through Multiagent Debate", 2023.
    """
    said: list[list[B]] = []
    for _ in range(rounds):
        said.append(await gather(speak(question, tuple(said)) for speak in debaters))
    return await judge(question, said)
