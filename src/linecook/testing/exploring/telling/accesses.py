"""What ``Shared`` tells while a program is explored: switch points for threads, accesses for reports, lost updates."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..exploration import Access, Place
from ..threads.control import here
from ..threads.threads import ControlledThread

if TYPE_CHECKING:
    from ..world import World


class Accesses:
    """Looks on for one exploration (``state/hook.py``)."""

    def __init__(self, world: World) -> None:
        self._world = world

    def accessing(self, cell: Any, key: Any, kind: str, frame: FrameType) -> None:
        """Let another thread go on before this one's access; note it for a report."""
        who = here()
        if isinstance(who, ControlledThread):
            who.point(frame, "access")
        loop = self._world.loop
        if loop is not None and loop.tracer is not None and who is not None:
            loop.tracer.accessed(cell, key, kind, _place(frame), who if isinstance(who, ControlledThread) else None)

    def lost(self, loss: Any) -> None:
        """Note a lost update that goes through; one that is raised instead is the program's to answer."""
        if sys._getframe(1).f_locals.get("mode") == "raise":  # of state/lost.py's function, which raises it next
            return
        if self._world.loop is not None and here() is not None:
            self._world.losses.append(loss)


def accesses_of(loss: Any) -> tuple[Access, ...]:
    """Return the accesses of a ``Loss``, or of None: the stale read, the write that is lost, the write on top."""
    if loss is None:
        return ()
    return tuple(
        Access(one.who, one.kind, loss.what, repr(one.value), _line(one.line))
        for one in (loss.read, loss.overwritten, loss.write)
        if one is not None
    )


def awaits_of(loss: Any) -> tuple[Place, ...]:
    """Return the awaits between the read and the write of a ``Loss``, or of None."""
    if loss is None:
        return ()
    return tuple(place for line in loss.awaits if (place := _line(line)) is not None)


def _line(line: Any) -> Place | None:
    return None if line is None else Place(line.file, line.line, line.function)


def _place(frame: FrameType) -> Place:
    return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
