"""Messages that no agent has handled, and why: kept where somebody can look, a bounded number of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

KEPT = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was not handled.

    Attributes:
      body: what was sent.
      agent: the path of the agent it was for.
      why: in words.
      error: what the agent raised on it, or what its sender was told.
      at: when it was set aside, in the time of the loop.
    """

    body: Any
    agent: str
    why: str
    error: BaseException | None
    at: float


class DeadLetters:
    """The latest dead letters of one team.

    Attributes:
      count: how many there were in all.
    """

    def __init__(self) -> None:
        self.count = 0
        self._kept: deque[DeadLetter] = deque(maxlen=KEPT)

    def add(self, letter: DeadLetter) -> None:
        """Keep *letter*; the oldest goes when there are 1,000."""
        self.count += 1
        self._kept.append(letter)

    def latest(self) -> list[DeadLetter]:
        """Return those that are kept, oldest first."""
        return list(self._kept)
