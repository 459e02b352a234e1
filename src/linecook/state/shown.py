"""A value in some 60 characters, without building the whole text of a large one."""

from __future__ import annotations

import reprlib
from typing import Any


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxother = self.maxstring = 60
        self.maxtuple = self.maxfrozenset = 4
        self.maxlevel = 3

    def repr_bytes(self, value: bytes, level: int) -> str:
        """Show the first bytes only: the usual way makes the whole text first."""
        return repr(value) if len(value) <= 40 else f"{value[:32]!r}... {len(value)} bytes"


_short = _Short()


def shown(value: Any) -> str:
    """Return *value* for a report; one whose own ``repr`` fails is shown by its type."""
    try:
        return _short.repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
