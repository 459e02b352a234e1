"""What every view of a run's progress is told, and how it ends."""

from __future__ import annotations

from typing import Any, Self

from .facts import Facts


class Teller:
    """A view that tells of ``Facts`` from a thread of its own, until ``close``; a context manager."""

    def __init__(self, total: int | None) -> None:
        if total is not None and total < 0:
            raise ValueError(f"total={total}: say None if it isn't known")
        self._facts = Facts(total=total)

    def update(self, kind: str, /) -> None:
        """Count one outcome; see ``Facts.update``."""
        self._facts.update(kind)

    def expect(self, total: int | None, /) -> None:
        """Correct the total, once it is known; None: it isn't."""
        self._facts.expect(total)

    def attach(self, runtime: Any, /) -> None:
        """Tell of *runtime*'s lanes and tools too; see ``Facts.attach``. Who asks it from outside is told the same."""
        self._facts.attach(runtime)
        runtime.facts = self._facts

    def close(self) -> None:
        """Tell the last, and end the thread."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
