"""Small bodies on threads, several in one job: the way to a thread and back costs 20 µs, whatever the body does.

Which is decided by measurement, and makes no worker idle: a chunk is at most an even share of what waits, and what of
it has not begun after some milliseconds is handed back. Only for tools that ask for no policy of their own, and outside
budgets: a time-out, a limit, another attempt, a count of calls is for one body.
(benchmarks: pipeline_threads)
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from math import ceil
from time import monotonic
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from .._core.callframe import CallFrame
from .._core.context import current_frame, frame_here
from .._core.meter import name_of_code
from .._core.outcome import Cancelled, Ok, Outcome
from ..tools.direct import is_direct
from ..tools.tool import Options, Tool
from .item import Item
from .stages import Work, unbound
from .station import Station

if TYPE_CHECKING:
    from .line import Line

SPAN = 0.001
"""Seconds of bodies in one job, at most: others wait no longer for a thread, and a cancelled pipeline for its end."""

PATIENCE = 0.005
"""Seconds after which a job hands back what it has not begun: its bodies turned out to be longer than was thought."""

MOST = 64


class Chunk:
    """Values for the bodies of one job.

    Attributes:
      values: in order.
      is_given_up: set when nobody waits any more: bodies that have not begun don't.
    """

    __slots__ = ("is_given_up", "values")

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.is_given_up = False

    def __repr__(self) -> str:
        return f"<{len(self.values)} items>"


class InTurn:
    """Runs a body for each value of a chunk; each in a context of its own, as if it had come alone."""

    def __init__(self, body: Callable[[Any], Any]) -> None:
        self.body = body
        self.counted_as = name_of_code(body)  # as the tool whose bodies they are
        self.__name__ = getattr(body, "__name__", type(body).__name__)
        self.__qualname__ = getattr(body, "__qualname__", self.__name__)
        self.__module__ = getattr(body, "__module__", __name__)

    def __call__(self, chunk: Chunk) -> list[tuple[bool, Any]]:
        """Return for each body that ran whether it returned, and what it returned or raised."""
        ended: list[tuple[bool, Any]] = []
        call = frame_here()
        until = monotonic() + PATIENCE
        for value in chunk.values:
            if chunk.is_given_up or (ended and monotonic() > until):
                break
            if isinstance(call, CallFrame):
                call.forget_key()
            try:
                ended.append((True, copy_context().run(self.body, value)))
            except BaseException as error:
                ended.append((False, error))
        return ended


def can_be_chunked(stage: Work) -> bool:
    """Say whether nothing but the body counts in *stage*."""
    tool = unbound(stage.tool)
    frame = current_frame.get()
    is_counted = frame is not None and frame.account is not None
    is_plain = tool.lane == "thread" and is_direct(tool) and tool.asked.timeout is None
    return stage.kind != "flat_map" and is_plain and not is_counted


class Chunking(Station):
    """A stage of small bodies on threads."""

    def __init__(self, line: Line, stage: Work, before: int) -> None:
        super().__init__(line, stage, before)
        tool = unbound(stage.tool)
        self._in_turn = InTurn(stage.tool.body)
        self._chunks: Tool[[Chunk], list[tuple[bool, Any]]] = Tool(
            self._in_turn, Options(lane="thread", priority=tool.priority), is_tool=True
        )
        self._many: dict[int, tuple[Chunk, list[Item]]] = {}
        self._more = 0  # items under way, besides one for each call
        self._typical: float | None = None
        # Its jobs are counted with the tool's own, as the bodies that they are.
        self._meter = self.runtime.meter(tool.counted_as, tool.__qualname__, "thread")

    def accept(self, item: Item) -> None:
        self.put_in(item)  # what a job takes is looked at as it is taken from there

    def _room_after(self) -> int:
        return super()._room_after() - self._more

    def _begin_item(self, item: Item, eager: bool) -> None:
        more = self._share() - 1
        if more < 1:
            super()._begin_item(item, eager)
            return
        items = [item, *(self.inbox.popleft() for _ in range(more))]
        self.bytes -= sum(other.size for other in items[1:])
        chunk = Chunk([other.value for other in items])
        self._many[self._count] = chunk, items
        self._more += more
        self.begin(self._chunks(chunk), eager)

    def _share(self) -> int:
        """Return how many items the next job takes: the one taken out already, and some that wait."""
        if self._typical is None:
            return 1
        waiting = len(self.inbox) + 1
        fit = ceil(SPAN / max(self._typical, SPAN / MOST))
        return min(fit, waiting // (self.workers - len(self.running)), self._room_after())

    def _ended_well(self, item: Item, value: Any, seconds: float) -> None:
        super()._ended_well(item, value, seconds)
        self._learn(seconds)

    def _ended_badly(self, item: Item, outcome: Outcome[Any], seconds: float) -> None:
        super()._ended_badly(item, outcome, seconds)
        if not isinstance(outcome, Cancelled):
            self._learn(seconds)

    def _on_end(self, index: int, outcome: Outcome[Any]) -> None:
        together = self._many.pop(index, None)
        if together is None:
            return  # an item that was begun alone, and is left to the supervisor
        chunk, items = together
        self._more -= len(items) - 1
        if not isinstance(outcome, Ok):
            chunk.is_given_up = True
            for item in items:
                self._settle(item, outcome)
            return
        ran: list[tuple[bool, Any]] = outcome.value
        assert outcome.call is not None
        each = outcome.call.seconds_running() / max(len(ran), 1)
        self._learn(each)
        self._meter.calls += len(ran) - 1
        for item in items[len(ran) :]:
            self._put_back(item)
        for item, (returned, value) in zip(items, ran, strict=False):
            self._take(item, returned, value, each)

    def _take(self, item: Item, returned: bool, value: Any, seconds: float) -> None:
        if returned and type(value) is not CoroutineType:
            super()._ended_well(item, value, seconds)
            return
        self.busy += seconds
        self._meter.failures += 1
        call = self._tool.call(item.value)
        call.discard()
        call.attempts = 1
        if returned:
            try:
                unbound(self._tool).run.check(call, value)  # type: ignore[attr-defined]
            except Exception as error:
                value = error
        self._failed(item, call.told(value))

    def _learn(self, seconds: float) -> None:
        self._typical = seconds if self._typical is None else self._typical + 0.2 * (seconds - self._typical)

    def stop(self, reason: str) -> None:
        for chunk, _ in self._many.values():
            chunk.is_given_up = True
        super().stop(reason)
