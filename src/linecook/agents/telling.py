"""What a team tells of its agents: to the log, as events, and as dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._core.events import Events
from .._core.outcome import Ok, Outcome
from ..observe.voice import Voice
from .dead_letters import DeadLetter, DeadLetters

if TYPE_CHECKING:
    from .child import Child


class Telling:
    """Tells of failures, at most one a second of the same kind in the log; and keeps what was not handled.

    Attributes:
      dead: the dead letters.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._voice = Voice()
        self.dead = DeadLetters()

    def set_aside(self, child: Child, body: Any, why: str, error: BaseException | None) -> None:
        """Keep *body*, which *child* has not handled, as a dead letter."""
        letter = DeadLetter(body, child.name, why, error, child.loop.time())
        self.dead.add(letter)
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
            self._voice.say((what, child.call.name), lambda: f"{name} {what}: {error!r}")

    def flush(self) -> None:
        """Say what was held back."""
        self._voice.flush(all_of_it=True)
