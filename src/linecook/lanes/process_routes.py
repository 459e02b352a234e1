"""Which functions the workers know, by number, and what goes with a call besides its arguments."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from .base import Job
from .portable import Route


class Routes:
    """The routes of one lane's functions, and the modules that its workers import beforehand.

    Args:
      on_module: called with the name of each module when it is first needed.

    Attributes:
      modules: their names, in the order of first use.
    """

    def __init__(self, on_module: Callable[[str], None]) -> None:
        self.modules: dict[str, None] = {}
        self._on_module = on_module
        self._lock = threading.RLock()
        self._routes: dict[int, tuple[Route, Any]] = {}
        self._last = 0

    def of(self, body: Callable[..., Any], label: str) -> Route:
        """Return the route of *body*, made at its first call; one by value is brought up to date.

        Raises:
          NotPortable: the function can't travel.
        """
        entry = self._routes.get(id(body))
        if entry is not None:
            route = entry[0]
            if route.module is None:
                route.refresh(label)
            return route
        with self._lock:
            self._last += 1
            route = Route(body, self._last, label)
            if not route.receiver:  # a bound method is a new object each time
                self._keep(body, route)
            is_new = route.module is not None and route.module not in self.modules
            if route.module is not None:
                self.modules.setdefault(route.module)
        if is_new and route.module is not None:
            self._on_module(route.module)
        return route

    def _keep(self, body: Callable[..., Any], route: Route) -> None:
        key, routes = id(body), self._routes
        try:
            keep: Any = weakref.ref(body, lambda _: routes.pop(key, None))
        except TypeError:
            keep = body
        routes[key] = (route, keep)

    def unlearn(self, module: str | None) -> None:
        """Import *module* beforehand no more: a worker died of it, or hangs in it. None: whichever it was."""
        with self._lock:
            if module is None:
                self.modules.clear()
            else:
                self.modules.pop(module, None)


def terms(job: Job) -> Any:
    """Return what the body may ask for: the nearest deadline, monotonic seconds or None; (that, key) for a keyed tool.

    Only tools that say ``effect="keyed"`` have their key sent along: to draw one costs 1 µs.
    """
    deadline = None if job.deadline_left is None else time.monotonic() + job.deadline_left
    frame: Any = job.frame
    asked = getattr(getattr(frame, "tool", None), "asked", None)
    return (deadline, frame.key()) if getattr(asked, "effect", None) == "keyed" else deadline
