"""Attributes of asyncio exchanged for ours, and given back."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

_MISSING = object()


class Patches:
    """Exchanges attributes; ``undo`` gives them back, but for those that somebody else has exchanged since."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, ours: Any) -> None:
        """Exchange an attribute of a module or class for *ours*.

        One that hasn't got it, in another version of Python, gets none: what it would show isn't seen then.
        """
        before = _own(owner, name)
        if before is _MISSING:
            return
        setattr(owner, name, ours)
        self._undo.append(lambda: setattr(owner, name, before) if _own(owner, name) is ours else None)

    def shadow(self, thing: Any, name: str, ours: Any) -> bool:
        """Put *ours* before the method *name* of one object, or class that inherits it; False: it takes no attributes.

        The object is known weakly from here on; *ours* should know it no better.
        """
        try:
            setattr(thing, name, ours)
            known = weakref.ref(thing)
        except (AttributeError, TypeError):
            return False

        def undo() -> None:
            thing = known()
            if thing is not None and _own(thing, name) is ours:
                delattr(thing, name)

        self._undo.append(undo)
        return True

    def undo(self) -> None:
        """Give everything back, the last first."""
        while self._undo:
            self._undo.pop()()


def _own(owner: Any, name: str) -> Any:
    attributes: dict[str, Any] = owner.__dict__
    return attributes.get(name, _MISSING)
