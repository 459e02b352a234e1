"""A message that no agent has handled, and why; teams keep the latest (telling.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was not handled.

    Attributes:
      body: what was sent.
      agent: the path of the agent it was for.
      why: in words.
      error: what the agent raised on it, or what its sender was told. Its traceback has lost its local variables, which
        would else be kept as long as the letter.
      at: when it was set aside, in the time of the loop.
    """

    body: Any
    agent: str
    why: str
    error: BaseException | None
    at: float
