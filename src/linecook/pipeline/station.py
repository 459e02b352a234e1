"""A stage that calls something with each item: what goes out of its window, and what becomes of items that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._core.errors import CallCancelled, LaneLost
from .._core.outcome import Cancelled, Failed, Outcome, TimedOut
from .item import Item, lose, size_of
from .stages import Work, ended_by, refuse_coroutine, unbound
from .window import Window

if TYPE_CHECKING:
    from .line import Line

TRIES = 3
"""How often an item may lose its worker, in a stage whose effect may be repeated, before it is given up as poison."""


class Station(Window):
    """``map`` and ``filter``; ``flat_map`` is a ``Splitting`` (splitting.py).

    Attributes:
      done, failed: items that ended here.
    """

    def __init__(self, line: Line, stage: Work, before: int) -> None:
        self.done = self.failed = 0
        self._is_filter = stage.kind == "filter"
        self._goes_on_as_it_is = not self._is_filter and not stage.ordered
        self._may_repeat = unbound(stage.tool).asked.effect in ("read", "keyed")
        super().__init__(line, stage, before)

    def _ended_well(self, item: Item, value: Any, seconds: float) -> None:
        self.busy += seconds
        self.done += 1
        if self._goes_on_as_it_is:
            item.value = value
            self.after.accept(item)  # type: ignore[union-attr]
        else:
            self._pass_on(item, value)

    def _ended_badly(self, item: Item, outcome: Outcome[Any], seconds: float) -> None:
        self.busy += seconds
        self._settle(item, outcome)

    def _settle(self, item: Item, outcome: Outcome[Any]) -> None:
        if isinstance(outcome, (Failed, TimedOut)):
            self._failed(item, outcome.error)
        elif isinstance(outcome, Cancelled) and self.stopping is None:  # somebody cancelled that very call
            told = f"{outcome.call!r} was cancelled: {outcome.reason}"
            self._failed(item, CallCancelled(told, call=outcome.call, work=outcome.work))

    def _pass_on(self, item: Item, value: Any) -> None:
        if not self._is_filter:
            item.value = value
            self._send(item)
            return
        try:
            goes_on = bool(value)
        except BaseException as error:  # an array, which is neither true nor false
            self._failed_to_say(item, ended_by(error, f"the answer of {self.name}, asked whether it is true,"))
            return
        if goes_on:
            self._send(item)
        else:
            self._lose(item)
            self._send_nothing(item)

    def _failed_to_say(self, item: Item, error: BaseException) -> None:
        error.add_note(f"{self.name} must answer true or false for each item; of an array take .any() or .all()")
        if callable(self.stage.on_error):  # not asked: what it answered may be what can't be told
            self._fail(item, error, f"item {item.origin} of the pipeline's input, in its stage {self.name}")
            return
        self.done -= 1
        self._failed(item, error)

    def _send(self, item: Item) -> None:
        assert self.after is not None
        if not self.stage.ordered:
            self.after.accept(item)
        elif item.place == self._sent and not self._late:
            self._sent += 1
            self.after.accept(item)
        else:
            self._late[item.place] = item
            self._send_in_order()

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
        item.size = size_of(item.value)  # it may have come past the buffer
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
        except BaseException as second:
            whose = f"on_error of {self.name}"
            self._fail(item, ended_by(second, whose), f"{whose}, for item {item.origin} of the pipeline's input")
            return
        self._pass_on(item, value)

    def _fail(self, item: Item, error: BaseException, note: str) -> None:
        """End the pipeline with *error*; or only *item*, where each input has an outcome of its own."""
        if self._line.fail(error, note, item):
            self._lose(item)
            self._send_nothing(item)

    def _lose(self, item: Item) -> None:
        lose(item)
