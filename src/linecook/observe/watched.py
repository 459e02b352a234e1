"""One event loop under watch: its step, its stall, whom to tell."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from types import FrameType
from typing import Literal

from .._core.context import Frame, current_frame
from .._core.events import Events
from .._core.place import Place
from .cpuclock import CPUClocks
from .place import Spot, call_on_stack, is_debugged, stands_in_python, users_spot
from .pulse import Wake
from .steps import Step, steps_of
from .stretch import Look, Stretch

_log = logging.getLogger("linecook")
_READS_FREELY = sys.version_info >= (3, 13)  # PEP 667: variables of a frame are read where they are
_SAID_AT = 1.0  # seconds: a stall that lasts this long is spoken of before it ends


@dataclass(frozen=True, slots=True)
class Stall:
    """One stall, over or still going on.

    Attributes:
      place: the user's line that was on the stack in most looks.
      whose: path of the call under way, such as ``"briefing/settle:0/reader[3]"``; None when no call is known.
      frame: that call.
      duration: seconds, so far if not ``ended``; true to about half the threshold, and rarely too long.
      ended: whether it is over.
      cause: ``"step"``: the step itself blocks; ``"others"``: it waited for the interpreter, which other threads held.
      collected: full garbage collections of the process meanwhile; they stop every thread.
    """

    place: Place
    whose: str | None
    frame: Frame | None
    duration: float
    ended: bool
    cause: Literal["step", "others"] = "step"
    collected: int = 0

    def __str__(self) -> str:
        whose = f" in {self.whose}" if self.whose else ""
        so_far = "" if self.ended else " so far"
        collected = "; a full garbage collection ran meanwhile" if self.collected else ""
        if self.cause == "others":  # a line that did nothing wrong; asyncio's own would only puzzle
            where = "" if self.place.is_library else f", at {self.place}"
            return (
                f"the event loop waited {self.duration:.2f} s{so_far}{whose} for the interpreter, which other threads "
                f"held{where}{collected}. The placement report names the tools that would gain in a process"
            )
        return (
            f"the event loop stood still for {self.duration:.2f} s{so_far}{whose}, at {self.place}{collected}. "
            "Blocking work belongs in a plain def tool, which runs on a thread; or await something that doesn't block"
        )


class WatchedLoop:
    """What the watch knows of one loop. Everything here runs under the watch's lock."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ident: int,
        threshold: float,
        on_stall: Callable[[Stall], None],
        events: Events | None,
        whose: Callable[[asyncio.AbstractEventLoop], str | None] | None,
        clocks: CPUClocks,
        on_busy: Callable[[Frame, float, float], None] | None = None,
    ) -> None:
        self.ident = ident
        self._on_busy = on_busy
        self._loop = loop
        self._threshold = threshold
        self._on_stall = on_stall
        self._events = events
        self._whose = whose
        self._clocks = clocks
        self._steps = steps_of(loop)
        self._step: Step | None = None
        self._stretch = Stretch()
        self._going_on: GoingOn | None = None
        self._looked = Look.take(time.monotonic(), None)

    def look(self, wake: Wake, frame: FrameType | None) -> float:
        """See where the loop's thread is; return the seconds to the next look."""
        before, self._looked = self._looked, Look.take(wake.now, self._clocks.read(self.ident))
        stretch = Stretch.between(before, self._looked, wake)
        step = None if frame is None else self._steps.now(frame, self._step)
        if step is None or frame is None or self._step is None or step.anchor is not self._step.anchor:
            self.end()
            self._step = step
            # A step first seen after somebody held the interpreter: if that was this thread, it was this step, in a
            # C call from which it has just come back.
            came_back = wake.in_one_go and stretch.was_held_here() and _is_back_from_a_call(step, frame)
            self._stretch = stretch.only_held() if came_back else Stretch()
        else:
            self._stretch = self._stretch.plus(stretch)
        if step is not None and frame is not None and self._on_busy is not None:
            self._sample(step, frame, self._looked.at - before.at, stretch.loop_cpu)
        if step is not None and frame is not None and self._stretch.seconds >= self._threshold:
            self._is_stalled(step, frame)
        return self._pause()

    def _sample(self, step: Step, frame: FrameType, wall: float, cpu: float) -> None:
        """Put the time since the last look to the account of the call that the loop is busy with."""
        call = self._call(step, frame, sampled=True)
        if call is not None and self._on_busy is not None:
            try:
                self._on_busy(call, wall, cpu)
            except Exception:
                _log.exception("on_busy=%r failed, and is not asked again", self._on_busy)
                self._on_busy = None

    def _pause(self) -> float:
        if self._going_on is not None:
            return min(0.25, max(0.01, self._stretch.seconds / 20))
        # Idle loops are looked at twenty times a second (a wake-up costs 20 to 200 µs of CPU), busy ones more closely.
        closely = 2 if self._step is None else 4 if not self._stretch.seconds else 10
        return min(0.05, max(0.005, self._threshold / closely))

    def _is_stalled(self, step: Step, frame: FrameType) -> None:
        if is_debugged(frame, step.bottom):
            self.end()
            self._stretch = Stretch()
            return
        spot = users_spot(frame, step.bottom)
        if self._going_on is None:
            self._going_on = GoingOn(*self._who(step, frame), spot, callback=self._callback(step, frame))
            self._tell("stall.began", self._going_on.stall(self._stretch, ended=False))
        self._going_on.spots[spot] += 1
        if not self._going_on.said and self._stretch.seconds >= _SAID_AT:
            self._going_on.said = True
            self._report(self._going_on.stall(self._stretch, ended=False))

    def end(self) -> None:
        """The step is over, or nobody wants to know any more: report the stall, if it was one."""
        going_on, self._going_on = self._going_on, None
        if going_on is not None:
            stall = going_on.stall(self._stretch, ended=True)
            self._tell("stall.ended", stall)
            self._report(stall)

    def _who(self, step: Step, frame: FrameType) -> tuple[Frame | None, str | None]:
        call = self._call(step, frame)
        if self._whose is not None:
            return call, self._whose(self._loop)
        return call, call.path if call is not None else None

    def _call(self, step: Step, frame: FrameType, *, sampled: bool = False) -> Frame | None:
        """Return the innermost call under way: by the stack, or else by the context of the task or of the step."""
        # Before 3.13, to read a frame's variables keeps them alive in it: fine for a stall, too dear for a sample.
        call = None if sampled and not _READS_FREELY else call_on_stack(frame, step.bottom)
        if call is not None:
            return call
        context = self._context_of_task() or self._steps.context(step)
        return context.get(current_frame) if context is not None else None

    def _context_of_task(self) -> Context | None:
        task = asyncio.current_task(self._loop)
        if task is None or sys.version_info < (3, 12):  # 3.11 doesn't tell
            return None
        return task.get_context()

    def _callback(self, step: Step, frame: FrameType) -> str:
        """A C function called by the loop itself has no line; its name is all there is."""
        return self._steps.callback(step) if frame is step.bottom else ""

    def _tell(self, kind: str, stall: Stall) -> None:
        if self._events is not None and self._events.heard:
            self._events.emit(
                kind, stall.frame, stall=stall, place=stall.place, whose=stall.whose, duration=stall.duration
            )

    def _report(self, stall: Stall) -> None:
        try:
            self._on_stall(stall)
        except Exception:
            _log.exception("on_stall=%r failed", self._on_stall)


def _is_back_from_a_call(step: Step | None, frame: FrameType | None) -> bool:
    """Whether *frame*, now in *step*, may just have come back from a call into C."""
    return step is not None and frame is not None and frame is not step.bottom and not stands_in_python(frame)


class GoingOn:
    """A stall that has begun."""

    def __init__(self, frame: Frame | None, whose: str | None, first: Spot, *, callback: str) -> None:
        self.frame = frame
        self.whose = whose
        self.callback = callback
        self.spots = Counter[Spot]()
        self.first = first
        self.said = False

    def stall(self, stretch: Stretch, *, ended: bool) -> Stall:
        most_seen = self.spots.most_common(1)
        place = (most_seen[0][0] if most_seen else self.first).look_up()
        if self.callback:
            place = Place(place.file, place.line, place.function, self.callback)
        return Stall(
            place=place,
            whose=self.whose,
            frame=self.frame,
            duration=stretch.seconds,
            ended=ended,
            cause="others" if stretch.was_kept_by_others() else "step",
            collected=stretch.collections,
        )
