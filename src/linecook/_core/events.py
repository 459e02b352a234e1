"""The one event stream: what happened, as records. Boards, lines, reports and traces are readers of it.

Emitting costs one attribute test when nobody listens: ``if events.heard: events.emit(...)``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .context import Frame

_log = logging.getLogger("linecook")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
      kind: what, as ``subject.verb``; docs/reference/events.md has the list, with the data of each.
      at: ``time.monotonic()`` when it happened, seconds.
      frame: the call or construct it happened to; None when it concerns the runtime as a whole.
      data: what else is known, by name.
    """

    kind: str
    at: float
    frame: Frame | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Events:
    """A stream of events, told to each listener in the order of subscription, in the thread where they happen."""

    __slots__ = ("_listeners", "heard")

    def __init__(self) -> None:
        self.heard = False
        self._listeners: tuple[Callable[[Event], None], ...] = ()

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell *listener* of every event from now on; the returned function ends that.

        The listener is called on whatever thread the event happens, must be quick and must not block. One that raises
        is dropped, with a line in the log: a reader can't harm what it reads.
        """
        self._listeners = (*self._listeners, listener)
        self.heard = True

        def unsubscribe() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not listener)
            self.heard = bool(self._listeners)

        return unsubscribe

    def emit(self, kind: str, frame: Frame | None = None, **data: Any) -> None:
        """Tell the listeners; ask ``heard`` first where it matters."""
        event = Event(kind, time.monotonic(), frame, data)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                _log.exception("an event listener (%r) failed and is dropped", listener)
                self._listeners = tuple(other for other in self._listeners if other is not listener)
                self.heard = bool(self._listeners)
