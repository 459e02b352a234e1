"""Resources of ``per="process"`` under exploration: opened afresh in each schedule, and closed at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....tools.resource import SyncResource


class PerProcess:
    """Keeps them, for one schedule after another.

    Args:
      is_asked: whether the program that is explored asks.
    """

    def __init__(self, is_asked: Callable[[], bool]) -> None:
        self._is_asked = is_asked
        self._before: Any = None
        self._values: dict[SyncResource[Any], Any] = {}
        self._closings: list[Callable[[], None]] = []

    def take_over(self) -> None:
        """Be asked in place of the process."""
        resources: Any = SyncResource
        before: Callable[[SyncResource[Any]], Any] = resources._for_process
        self._before = before
        kept = self

        def for_process(resource: SyncResource[Any]) -> Any:
            return kept._value_of(resource) if kept._is_asked() else before(resource)

        resources._for_process = for_process

    def _value_of(self, resource: SyncResource[Any]) -> Any:
        if resource not in self._values:
            self._values[resource], close = resource._open()
            self._closings.append(close)
        return self._values[resource]

    def end(self) -> None:
        """Close what the schedule has opened, in reverse order."""
        self._values.clear()
        while self._closings:
            self._closings.pop()()

    def give_back(self) -> None:
        """Let the process be asked again."""
        SyncResource._for_process = self._before  # type: ignore[method-assign]
