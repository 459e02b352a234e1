"""The coming in of a stage: a buffer, and a window of items under way.

It is a fan-out whose input is what comes in (tools/fanout.py): each item has a task, context and frame of its own, and
the next begins in the very step in which one ends. An item begins only when there will be room for its result, so what
a pipeline holds is bounded whatever its stages do; back-pressure is nothing but that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from .._core.callframe import CallFrame
from .._core.outcome import Outcome
from .._core.running import outcome_of, primer
from ..tools.fanout import FanOut
from .item import Item, size_of
from .node import Node
from .stages import Work, workers_of
from .under_way import under_way_on

if TYPE_CHECKING:
    from .line import Line

_BURST = 64
DEEPEST = 16
"""Stages that an item may pass in one step: each takes a dozen places on the stack."""

TOLD_AT_ONCE = 8
"""Who stands before is told of room when an eighth of the buffer is free, not of each place: so it begins some items in
a row. A larger share would leave a stage dry whose buffer is worked off before the next item comes
(benchmarks: pipeline_million)."""


class Window(FanOut, Node):
    """Takes items in, and runs them; what becomes of them is told to whoever derives from it.

    Attributes:
      stage: what it was asked to do.
      workers: most items under way.
      capacity: most items that wait before it.
      inbox: those.
      bytes: their size, as far as it is known.
      busy: seconds in which bodies ran, summed over workers.
      waits: seconds by why nothing more was under way: ``"starved"`` (nothing to do), ``"blocked"`` (no room after),
        ``"late"`` (results wait for an earlier one), ``""`` (all workers are taken).
    """

    def __init__(self, line: Line, stage: Work, before: int) -> None:
        self.stage = stage
        self.name = stage.name
        self._tool = stage.tool
        self._line = line
        self.workers = workers_of(stage)
        self.capacity = before + self.workers
        self._low = self.capacity - self.capacity // TOLD_AT_ONCE
        self.inbox: deque[Item] = deque()
        self.bytes: int = 0
        self._most_bytes = line.max_bytes
        self.busy: float = 0.0
        self.waits = {"starved": 0.0, "blocked": 0.0, "late": 0.0, "": 0.0, "over": 0.0}
        self._waits_for = "starved"
        self._since = line.now()
        self._ended = self._told = self._goes_on_soon = False
        self._late: dict[int, Item | None] = {}  # results that wait for an earlier one, by place; None: there is none
        self._arrived: int = 0
        self._sent: int = 0
        super().__init__(self.name, (), self.workers, self._on_end, line.grace)
        self._on_virtual_time = under_way_on(self.loop) if stage.tool.lane == "loop" else None
        if self._on_virtual_time is not None:
            self.running = self._on_virtual_time
        self.feeding, self.draining = True, False  # what is inside when the runtime drains is worked off
        self.on_over(self._over)

    # -- what comes in -----------------------------------------------------------------------------------------------

    def free(self) -> int:
        return self.capacity - len(self.inbox) if self.bytes < self._most_bytes else 0

    def accept(self, item: Item) -> None:
        line, under_way = self._line, len(self.running)
        if (
            self.inbox
            or self._pulling
            or self._late
            or not self.feeding
            or line.depth >= DEEPEST
            or under_way >= self.workers
            or self.after.free() <= under_way  # type: ignore[union-attr]
        ):
            self.put_in(item)
            return
        # Nothing waits before it, and there is room: it needn't stand in the buffer, nor be counted for it. A third of
        # what a stage that does nothing costs (benchmarks: pipeline_stages).
        item.place = self._arrived
        item.tries = 0
        self._arrived += 1
        line.depth += 1
        try:
            self._begin_item(item, self._eager)
        finally:
            line.depth -= 1

    def put_in(self, item: Item) -> None:
        """Put *item* into the buffer, and begin what can begin."""
        item.place = self._arrived
        item.tries = 0
        self._arrived += 1
        item.size = size = size_of(item.value)
        self.bytes += size
        self.inbox.append(item)
        if not self._pulling:
            self._go_on()

    def input_ended(self) -> None:
        self._ended = True
        self._go_on()

    def on_room(self) -> None:
        if not self._pulling:
            self._go_on()

    def _go_on(self) -> None:
        """Begin what can begin: now, or soon when this comes from a body that ended at once, in another such."""
        line = self._line
        if line.depth >= DEEPEST:
            self._go_on_soon()
            return
        line.depth += 1
        try:
            self._pull(self._eager)
        finally:
            line.depth -= 1

    def _go_on_soon(self) -> None:
        if not self._goes_on_soon:
            self._goes_on_soon = True
            self.loop.call_soon(self._go_on_now)

    def _go_on_now(self) -> None:
        self._goes_on_soon = False
        self._go_on()

    def drain(self) -> None:
        """Go on: only the source ends when the runtime drains."""

    def _room_after(self) -> int:
        """Return how many more items may begin, by the room for their results."""
        return self.after.free() - len(self.running) - len(self._late)  # type: ignore[union-attr]

    def _want_room(self) -> None:
        """Ask to be told when ``_room_after`` may have grown."""
        self.after.want()  # type: ignore[union-attr]

    def _pull_from(self, source: Any, eager: bool) -> None:
        inbox, running = self.inbox, self.running
        burst = _BURST
        while self.feeding and inbox:
            if len(running) >= self.workers or (len(self._late) >= 2 * self.workers and not self._is_next(inbox[0])):
                break
            if self._room_after() <= 0 and not (self._is_next(inbox[0]) and self._has_some_room()):
                self._want_room()
                self._note("late" if self._late and self._has_some_room() else "blocked")
                return
            item = inbox.popleft()
            self.bytes -= item.size
            under_way = len(running)
            self._begin_item(item, eager)
            if self.wanted and len(inbox) <= self._low:
                self.tell_room()
            if len(running) <= under_way:  # it ended at once; many such must not keep the loop from the others
                burst -= 1
                if not burst:
                    self._go_on_soon()
                    return
        if self._ended and not inbox and self.feeding:
            self.exhausted, self.feeding = True, False
        self._note("" if len(running) >= self.workers else "late" if inbox else "starved")

    def _is_next(self, item: Item) -> bool:
        """Say whether the results behind it wait for *item*: it was begun before, and lost its worker."""
        return bool(self._late) and item.place == self._sent

    def _has_some_room(self) -> bool:
        return self.after.free() > 0  # type: ignore[union-attr]

    def _begin_item(self, item: Item, eager: bool) -> None:
        """Run what is to be done with *item* in a task and context of its own, as ``FanOut.begin`` does a call."""
        context = self._base.copy()
        try:
            call = self._call_for(item)
            body = call.open(self._frame, context)
        except Exception as error:  # a function of the user's that makes the call
            self._failed(item, error)
            return
        index = self._count
        self._count = index + 1
        call.index = index
        driver = self._drive_item(item, call, body, not eager)
        if eager:
            task = asyncio.Task(driver, loop=self.loop, context=context, eager_start=True)  # type: ignore[call-arg]
        else:
            driver.send(None)  # up to the primer: see FanOut.begin
            make: Any = self.loop.create_task if self._has_factory else partial(asyncio.Task, loop=self.loop)
            task = make(driver, context=context)
        if not task.done():
            self.running[call] = task
            if self.stopping is not None:
                task.cancel(self.stopping)
            elif len(self.running) >= self.workers:
                self._note("")

    def _call_for(self, item: Item) -> CallFrame:
        call: CallFrame = self._tool(item.value)
        return call

    async def _drive_item(self, item: Item, call: CallFrame, body: Coroutine[Any, Any, Any], primed: bool) -> None:
        """Await *body* and see to *item*, as ``FanOut._drive``; what returned needs no outcome to say so."""
        outcome: Outcome[Any] | None = None
        value: Any = None
        try:
            if primed:
                await primer()
            value = await body
        except BaseException as error:
            outcome = outcome_of(call, body, error, self.stopping)
        if self._left and call in self._left:
            self._left.discard(call)
            return
        self.running.pop(call, None)
        if outcome is None:
            seconds = call.running
            if seconds < 0.0:
                call.running = seconds = seconds + monotonic()
            self._ended_well(item, value, seconds)
        else:
            self._ended_badly(item, outcome, call.seconds_running())
            del outcome  # an error knows this frame by its traceback: a circle
        if self._pulling:
            return
        if self.inbox or self._ended:
            self._pull(self._eager)
        elif self._waits_for != "starved":
            self._note("starved")

    def set_workers(self, workers: int) -> None:
        """Have so many items under way from now on; who runs goes on."""
        more = workers > self.workers
        self.workers = self._limit = workers
        if more:
            self.on_room()

    # -- what becomes of them ----------------------------------------------------------------------------------------

    def _ended_well(self, item: Item, value: Any, seconds: float) -> None:
        """*value* was returned for *item*, after *seconds*."""
        raise NotImplementedError

    def _ended_badly(self, item: Item, outcome: Outcome[Any], seconds: float) -> None:
        """*item* ended as *outcome*, which isn't ``Ok``, after *seconds*."""
        raise NotImplementedError

    def _failed(self, item: Item, error: BaseException) -> None:
        """Nothing could be begun with *item*, for *error*."""
        raise NotImplementedError

    def _on_end(self, index: int, outcome: Outcome[Any]) -> None:
        """Nothing: what is left to the supervisor at the end of the pipeline goes nowhere."""

    def tasks(self) -> Iterable[asyncio.Task[None]]:
        return list(self.running.values())

    # -- its end -----------------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        self.inbox.clear()
        super().stop(reason)

    def _over(self) -> None:
        if not self._told and self.exhausted and self.stopping is None:
            self._told = True
            self._note("over")
            assert self.after is not None
            self.after.input_ended()

    # -- what it waits for -------------------------------------------------------------------------------------------

    def _note(self, waits_for: str) -> None:
        if waits_for != self._waits_for:
            now = self._line.now()
            self.waits[self._waits_for] += now - self._since
            self._since, self._waits_for = now, waits_for

    def waited(self) -> dict[str, float]:
        """Return the seconds of ``waits``, with those of what it waits for now."""
        waits = dict(self.waits)
        if not self._told:
            waits[self._waits_for] += self._line.now() - self._since
        return waits

    def busy_so_far(self) -> float:
        """Return the seconds of ``busy``, with those of bodies under way."""
        if self._on_virtual_time is not None:
            return self._on_virtual_time.seconds()
        return self.busy + sum(call.seconds_running() for call in self.running)
