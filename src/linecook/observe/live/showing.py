"""What a look has found, as it is told: so many calls closely, what they run under, and counts of all."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from typing import Any

from ..._core.callframe import CallFrame
from ..._core.context import Frame, inherited_priority
from ..._core.stacks import stacks_of_others
from ..facts import pipelines_in_words
from .alive import Alive, Numbers
from .calls import Look
from .chains import TELLS_CONTEXT, Standing, Wait
from .inwords import at_work_in, place_of, words_for
from .livecalls import LiveCall, LiveCalls, LiveCount


def show(look: Look, numbers: Numbers, most: int | None) -> LiveCalls:
    """Return the *most* longest calls (None: all), with what they run under, and counts of all.

    Those that wait for another call come last: they come along with it.
    """
    longest = sorted(look.alive.values(), key=lambda each: (each.waits_for_calls, -each.seconds))[:most]
    chosen = _with_those_above(look.alive, longest)
    close = look.closely({each.task for each in chosen if each.task is not None})
    lines = _Lines(look.runtime, numbers, close, _count_children(look.alive))
    counts = Counter((each.frame.name, _lane_of(each.frame), *each.state) for each in look.alive.values())
    return LiveCalls(
        os.getpid(),
        time.time(),
        len(look.alive),
        tuple(lines.line(each) for each in chosen),
        tuple(LiveCount(*what, many) for what, many in counts.most_common()),
        look.stands_still,
        pipelines_in_words(look.runtime),
    )


def _with_those_above(alive: dict[Frame, Alive], longest: list[Alive]) -> list[Alive]:
    """Return *longest*, and what they run under, as far as that is alive or holds something alive: a block."""
    chosen = {each.frame: each for each in longest}
    for each in longest:
        above = each.frame.parent
        while above is not None and above not in chosen:
            gone = Wait("ended" if isinstance(above, CallFrame) else "open")
            chosen[above] = alive.get(above) or Alive(above, None, gone)
            above = above.parent
    return list(chosen.values())


def _count_children(alive: dict[Frame, Alive]) -> Counter[Frame]:
    children: Counter[Frame] = Counter()
    seen: set[Frame] = set()
    for frame in alive:
        below: Frame | None = frame
        while below is not None and below not in seen:
            seen.add(below)
            if below.parent is not None:
                children[below.parent] += 1
            below = below.parent
    return children


def _path_of(frame: Frame) -> str:
    try:
        return frame.path
    except RecursionError:  # a thousand calls one under another: the end of the path is what tells
        return f".../{frame.name}:{frame.number}"


def _lane_of(frame: Frame) -> str:
    return frame.lane if isinstance(frame, CallFrame) else ""


class _Lines:
    """Makes the lines of one answer."""

    def __init__(self, runtime: Any, numbers: Numbers, close: dict[Frame, Standing], children: Counter[Frame]) -> None:
        self._runtime = runtime
        self._numbers = numbers
        self._close = close
        self._children = children
        self._threads = at_work_in(runtime)
        self._stacks = stacks_of_others()
        self._fanouts = due_fanouts(runtime._loop)

    def line(self, each: Alive) -> LiveCall:
        frame, close = each.frame, self._close.get(each.frame)
        number, first_seen = self._numbers.of(frame)
        state, waits_for = each.state
        is_call = isinstance(frame, CallFrame)
        seconds = each.seconds if each.exact or not is_call else max(each.seconds, time.monotonic() - first_seen)
        return LiveCall(
            id=number,
            path=_path_of(frame),
            name=frame.name,
            kind="call" if is_call else "block",
            lane=_lane_of(frame),
            state=state,
            waits_for=waits_for,
            what=words_for(each, self._threads),
            place=place_of(each, None if close is None else close.spot, self._threads, self._stacks),
            seconds=seconds,
            exact=each.exact,
            deadline_left=None if state == "abandoned" else self._deadline_left(frame, close),
            attempt=frame.attempts if isinstance(frame, CallFrame) else 0,
            priority=inherited_priority(frame),
            ending=each.task is not None and each.task.cancelling() > 0,
            parent=None if frame.parent is None else self._numbers.of(frame.parent)[0],
            children=self._children[frame],
        )

    def _deadline_left(self, frame: Frame, close: Standing | None) -> float | None:
        """Return what is left to the nearest deadline: its own, those around it, and those of the fan-outs above."""
        left = [] if close is None else [due.at - due.clock.time() for due in close.dues]
        above: Frame | None = frame
        while above is not None:
            if above in self._fanouts:
                left.append(self._fanouts[above] - self._runtime._loop.time())
            above = above.parent
            if above in self._close and not TELLS_CONTEXT:
                left += [due.at - due.clock.time() for due in self._close[above].dues]
        return max(0.0, min(left)) if left else None


def due_fanouts(loop: asyncio.AbstractEventLoop) -> dict[Frame, float]:
    """Return when the time-out of each fan-out and stream passes, in the loop's time, from the timers that wait."""
    timers: Any = getattr(loop, "_linecook_timers", None)
    found: dict[Frame, float] = {}
    for when, _, moment in [] if timers is None else list(timers._heap):
        owner: Any = getattr(moment, "_arg", None)
        if moment.waiting and hasattr(owner, "fanout"):
            found[owner.fanout._frame] = when
    return found
