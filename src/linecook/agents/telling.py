"""What a team tells of its agents: to the log, as events, and as dead letters."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from .._core.callframe import shown
from .._core.events import Events
from .._core.outcome import Ok, Outcome
from ..observe.voice import Voice

if TYPE_CHECKING:
    from .child import Child
    from .dead_letters import DeadLetter

_KEPT = 1000  # dead letters


class Telling:
    """Tells of failures, at most one a second of the same kind in the log; and keeps what was not handled.

    Attributes:
      dead: the latest dead letters, at most 1,000, oldest first.
      dead_in_all: how many there were.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._voice = Voice()
        self.dead: deque[DeadLetter] = deque(maxlen=_KEPT)
        self.dead_in_all = 0

    def set_aside(self, child: Child, body: Any, why: str, error: BaseException | None) -> None:
        """Keep *body*, which *child* has not handled, as a dead letter."""
        from .dead_letters import DeadLetter  # when there is one: a dataclass takes 0.7 ms to make (import_time)

        letter = DeadLetter(body, child.name, why, error, child.loop.time())
        self.dead.append(letter)
        self.dead_in_all += 1
        if self._events.heard:
            self._events.emit("message.dead", child.call, letter=letter)

    def restarts(self, child: Child, outcome: Outcome[Any]) -> None:
        """*child* ended so, and is about to be started anew."""
        if self._events.heard:
            self._events.emit("agent.restarted", child.call, outcome=outcome, starts=child.starts)
        self._say(child, outcome, "failed and is started anew")

    def fails(self, child: Child, outcome: Outcome[Any]) -> None:
        """*child* ended so, by itself, and is not started anew."""
        if self._events.heard:
            self._events.emit("agent.failed", child.call, outcome=outcome)
        self._say(child, outcome, "failed and is not started anew")

    def _say(self, child: Child, outcome: Outcome[Any], what: str) -> None:
        if not isinstance(outcome, Ok):
            name, error = child.name, outcome.error
            self._voice.say((what, child.call.name), lambda: f"{name} {what}: {shown(error)}")

    def flush(self) -> None:
        """Say what was held back."""
        self._voice.flush(all_of_it=True)
