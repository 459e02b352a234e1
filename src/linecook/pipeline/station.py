"""A stage that calls something with each item: a window of calls between two buffers.

It is a fan-out whose input is what comes in (tools/fanout.py): each item has a task, context and frame of its own, and
the next begins in the very step in which one ends. An item begins only when there will be room for its result, so what
a pipeline holds is bounded whatever its stages do; back-pressure is nothing but that.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .._core.errors import CallCancelled, LaneLost
from .._core.outcome import Cancelled, Ok, Outcome
from ..tools.fanout import FanOut
from .item import Item, lose, size_of
from .node import Node
from .stages import WORKERS, Work, refuse_coroutine, unbound
from .under_way import under_way_on

if TYPE_CHECKING:
    from .line import Line

_BURST = 64
DEEPEST = 16
"""Stages that an item may pass in one step: each takes a dozen places on the stack."""
TRIES = 3
"""How often an item may lose its worker, in a stage whose effect may be repeated, before it is given up as poison."""


class Station(FanOut, Node):
    """``map`` and ``filter``; ``flat_map`` is a ``Splitting`` (splitting.py).

    Attributes:
      stage: what it was asked to do.
      workers: most items under way.
      capacity: most items that wait before it.
      inbox: those.
      bytes: their size, as far as it is known.
      done, failed: items that ended here.
      busy: seconds in which bodies ran, summed over workers.
      waits: seconds by why nothing more was under way: ``"starved"`` (nothing to do), ``"blocked"`` (no room after),
        ``"late"`` (results wait for an earlier one), ``""`` (all workers are taken).
    """

    def __init__(self, line: Line, stage: Work, before: int) -> None:
        self.stage = stage
        self.name = stage.name
        self._tool = stage.tool
        self._is_filter = stage.kind == "filter"
        self._may_repeat = unbound(stage.tool).asked.effect in ("read", "keyed")
        self._line = line
        self.workers = workers_of(stage)
        self.capacity = before + self.workers
        self.inbox: deque[Item] = deque()
        self.bytes = 0
        self.done = self.failed = 0
        self.busy = 0.0
        self.waits = {"starved": 0.0, "blocked": 0.0, "late": 0.0, "": 0.0, "over": 0.0}
        self._waits_for = "starved"
        self._since = line.now()
        self._ended = self._told = self._goes_on_soon = False
        self._under_way: dict[int, Item] = {}
        self._late: dict[int, Item | None] = {}  # results that wait for an earlier one, by place; None: there is none
        self._arrived = self._sent = 0
        self._most_bytes = line.max_bytes
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
        item.size = size = size_of(item.value)
        self.bytes += size
        item.place = self._arrived
        item.tries = 0
        self._arrived += 1
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
            if not self._goes_on_soon:
                self._goes_on_soon = True
                self.loop.call_soon(self._go_on_now)
            return
        line.depth += 1
        try:
            self._pull(self._eager)
        finally:
            line.depth -= 1

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
            if self.wanted:
                self.tell_room()
            if len(running) <= under_way:  # it ended at once; many such must not keep the loop from the others
                burst -= 1
                if not burst:
                    self.loop.call_soon(self.fill)
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
        self._under_way[self._count] = item
        try:
            call = self._call_for(item)
        except Exception as error:  # a function of the user's that makes the call
            del self._under_way[self._count]
            self._failed(item, error)
            return
        self.begin(call, eager)

    def _call_for(self, item: Item) -> Any:
        return self._tool(item.value)

    def set_workers(self, workers: int) -> None:
        """Have so many items under way from now on; who runs goes on."""
        more = workers > self.workers
        self.workers = self._limit = workers
        if more:
            self.on_room()

    # -- what goes out -----------------------------------------------------------------------------------------------

    def _on_end(self, index: int, outcome: Outcome[Any]) -> None:
        if outcome.call is not None:
            self.busy += outcome.call.seconds_running()
        self._settle(self._under_way.pop(index), outcome)

    def _settle(self, item: Item, outcome: Outcome[Any]) -> None:
        if isinstance(outcome, Ok):
            self._finished(item, outcome.value)
        elif isinstance(outcome, Cancelled):
            if self.stopping is None:  # somebody cancelled that very call
                told = f"{outcome.call!r} was cancelled: {outcome.reason}"
                self._failed(item, CallCancelled(told, call=outcome.call, work=outcome.work))
        else:
            self._failed(item, outcome.error)

    def _finished(self, item: Item, value: Any) -> None:
        self.done += 1
        self._pass_on(item, value)

    def _pass_on(self, item: Item, value: Any) -> None:
        if not self._is_filter:
            item.value = value
            self._send(item)
            return
        try:
            goes_on = bool(value)
        except Exception as error:  # an array, which is neither true nor false
            self._failed_to_say(item, error)
            return
        if goes_on:
            self._send(item)
        else:
            self._lose(item)
            self._send_nothing(item)

    def _failed_to_say(self, item: Item, error: Exception) -> None:
        error.add_note(f"{self.name} must answer true or false for each item; of an array take .any() or .all()")
        if callable(self.stage.on_error):  # not asked: what it answered may be what can't be told
            self._fail(item, error, f"item {item.origin} of the pipeline's input, in its stage {self.name}")
            return
        self.done -= 1
        self._failed(item, error)

    def _send(self, item: Item) -> None:
        assert self.after is not None
        if self.stage.ordered:
            self._late[item.place] = item
            self._send_in_order()
        else:
            self.after.accept(item)

    def _send_nothing(self, item: Item) -> None:
        if self.stage.ordered:
            self._late[item.place] = None
            self._send_in_order()

    def _send_in_order(self) -> None:
        assert self.after is not None
        late = self._late
        while self._sent in late:
            item = late.pop(self._sent)
            self._sent += 1
            if item is not None:
                self.after.accept(item)

    def _failed(self, item: Item, error: BaseException) -> None:
        item.tries += 1
        if self._may_try_again(item, error):
            self._put_back(item)
        else:
            self._give_up(item, error)

    def _may_try_again(self, item: Item, error: BaseException) -> bool:
        """Say whether *item*, whose worker died, deserves another one: no fault of its own, or poison."""
        return isinstance(error, LaneLost) and self._may_repeat and item.tries < TRIES and self.stopping is None

    def _put_back(self, item: Item) -> None:
        """Let *item* wait again, before those that came after it: in an ordered stage they wait for it."""
        before = 0
        while before < len(self.inbox) and self.inbox[before].place < item.place:
            before += 1
        self.inbox.insert(before, item)
        self.bytes += item.size
        self.exhausted, self.feeding = False, True  # it may be the last one

    def _give_up(self, item: Item, error: BaseException) -> None:
        self.failed += 1
        policy = self.stage.on_error
        if policy == "raise" or not isinstance(error, Exception):
            self._fail(item, error, f"item {item.origin} of the pipeline's input, in its stage {self.name}")
            return
        if policy == "skip":
            self._line.set_aside(item, self.name, error)
            self._lose(item)
            self._send_nothing(item)
            return
        try:
            value = policy(item.value, error)
            refuse_coroutine(value, f"on_error of {self.name}")
        except Exception as second:
            self._fail(item, second, f"on_error of {self.name}, for item {item.origin} of the pipeline's input")
            return
        self._pass_on(item, value)

    def _fail(self, item: Item, error: BaseException, note: str) -> None:
        """End the pipeline with *error*; or only *item*, where each input has an outcome of its own."""
        if self._line.fail(error, note, item):
            self._lose(item)
            self._send_nothing(item)

    def _lose(self, item: Item) -> None:
        lose(item)

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


def workers_of(stage: Work) -> int:
    """Return how many items of *stage* are under way at first."""
    if isinstance(stage.workers, int):
        return stage.workers
    lane = stage.tool.lane
    return WORKERS[lane] if lane in WORKERS else 4 * (os.cpu_count() or 1)
