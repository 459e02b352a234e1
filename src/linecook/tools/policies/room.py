"""The waiting room before a limit: who waits, in which order, and how each learns that it is let in or turned away."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Protocol

from ..._core.callframe import CallFrame
from ..._core.context import PRIORITIES, Priority, inherited_priority, tenant_here
from ..._core.errors import Refused
from ..._core.timers import Timer, timers_of
from .fair import FairQueue
from .signals import Signal
from .ticket import Cost, Ticket
from .window import Window

if TYPE_CHECKING:
    from .limit import Limit

NO_KEY = object()
"""The key of a limit that has none; None may be one."""

_SLACK = 64
_MOST_OF_KEY = 60  # letters of a key that are shown


class Gates(Protocol):
    """What a room stands before: ``Admission``, or the places of a plain limit."""

    taken: int

    def try_take(self, now: float, said: Cost | None) -> Ticket | None: ...
    def next_at(self, now: float, said: Cost | None) -> float | None: ...
    def give_back(self, ticket: Ticket, now: float, signal: Signal) -> None: ...
    def refuses(self, now: float) -> str: ...
    def never_fits(self, said: Cost | None) -> Window | None: ...
    def reserve(self, said: Cost | None) -> Cost: ...
    def held_up(self, now: float, said: Cost | None) -> str: ...


class _Waiter:
    """One call that waits."""

    __slots__ = ("call", "priority", "said", "turn")

    def __init__(self, call: CallFrame, said: Cost | None, turn: asyncio.Future[Ticket]) -> None:
        self.call = call
        self.said = said
        self.turn = turn
        self.priority: Priority = inherited_priority(call)


def _is_gone(waiter: _Waiter) -> bool:
    return waiter.turn.done()


class Room:
    """Calls that wait for *gates*, by priority and fairly between tenants, at most ``limit.waiting`` of them.

    Attributes:
      limit: whose figures these are.
      waiting: calls that wait, those that left not counted.
      waited: calls that had to wait, so far.
      waited_for: seconds for which they did, all together.
      refused: calls that were turned away, so far.
    """

    __slots__ = (
        "_arrivals", "_gates", "_head", "_key", "_loop", "_now", "_queue", "_timer", "limit", "refused",
        "waited", "waited_for", "waiting",
    )  # fmt: skip

    def __init__(self, gates: Gates, limit: Limit, loop: asyncio.AbstractEventLoop, key: Hashable = NO_KEY) -> None:
        self._key = key
        self._gates = gates
        self.limit = limit
        self._loop = loop
        self._now = timers_of(loop).now
        self._queue: FairQueue[_Waiter] = FairQueue(_is_gone)
        self._arrivals: dict[Priority, deque[_Waiter]] = {name: deque() for name in PRIORITIES}  # to shed the oldest
        self._timer: tuple[float, Timer] | None = None
        self._head: _Waiter | None = None  # whoever was next when somebody last looked
        self.waiting = 0
        self.waited = 0
        self.waited_for = 0.0
        self.refused = 0

    @property
    def name(self) -> str:
        """How reports call it: the limit's name, and the key: ``hosts[a.example]``."""
        if self._key is NO_KEY:
            return self.limit.name or repr(self.limit)
        try:
            shown = str(self._key)
        except Exception:  # it is the user's, and only to be shown
            shown = object.__repr__(self._key)
        return f"{self.limit.name or 'Limit'}[{shown[:_MOST_OF_KEY]}]"

    @property
    def taken(self) -> int:
        """Calls in flight."""
        return self._gates.taken

    def held_up(self) -> str:
        """Return why nobody is let in, in words; empty where only a place is missing. From any thread."""
        head = self._head
        return self._gates.held_up(self._now(), None if head is None else head.said)

    async def take(self, call: CallFrame, said: Cost | None = None) -> Ticket:
        """Wait until *call* is let in, which is expected to use as many tokens as is *said*; None: nobody knows.

        Cancelled meanwhile it leaves nothing behind: a place that came in the same moment is passed on.

        Raises:
          Refused: nobody waits here, as many wait as may, its cost exceeds what the limit lets through in a minute, or
            the server is known to be down.
        """
        began = self._now()
        self._turn_away(call, said, began)
        waiter = _Waiter(call, said, self._loop.create_future())
        tenant, weight = tenant_here.get()
        # Another attempt of a call that was let in before goes to the head: it had its turn, and lost it.
        cost = 1.0 + sum(self._gates.reserve(said))
        self._queue.put(waiter, waiter.priority, tenant, weight, cost, at_head=call.attempts > 0)
        if self.limit.when_full == "shed_oldest":
            self._note_arrival(waiter)
        self.waiting += 1
        self.waited += 1
        head = self._head  # else whoever stands before it has been looked at, and still waits
        if head is None or _is_gone(head) or self._queue.peek() is waiter:
            self.let_in()
        try:
            return await waiter.turn
        except BaseException:
            self._leave(waiter)
            raise
        finally:
            waited = self._now() - began
            self.waited_for += waited
            call.queued += waited

    def _note_arrival(self, waiter: _Waiter) -> None:
        line = self._arrivals[waiter.priority]
        if len(line) > 2 * self.waiting + _SLACK:  # most of them were let in
            self._arrivals[waiter.priority] = line = deque(one for one in line if not _is_gone(one))
        line.append(waiter)

    def _turn_away(self, call: CallFrame, said: Cost | None, now: float) -> None:
        limit = self.limit
        if why := self._gates.refuses(now):
            raise self._refusal(call, f"{limit!r} lets nobody in: {why}. Come back later, or catch Refused.")
        if said is not None and (window := self._gates.never_fits(said)) is not None:
            raise self._refusal(call, _too_large(said, window, limit))
        if limit.when_full == "refuse":
            raise self._refusal(call, self._full("nobody may wait (when_full='refuse')"))
        if self.waiting >= limit.waiting and not (limit.when_full == "shed_oldest" and self._shed(call)):
            raise self._refusal(call, self._full(f"{self.waiting} wait"))

    def _full(self, waiting: str) -> str:
        return (
            f"{self._gates.taken} calls are in flight and {waiting} for {self.limit!r}. "
            "Send fewer at once (limit= of the fan-out), or raise the limit's waiting=."
        )

    def _refusal(self, call: CallFrame, why: str) -> Refused:
        self.refused += 1
        return Refused(f"{call!r} was refused: {why}", call=call)

    def _shed(self, newcomer: CallFrame) -> bool:
        """Turn away whoever has waited longest among the least urgent, for *newcomer*, unless it is less urgent yet."""
        for name in reversed(PRIORITIES):
            line = self._arrivals[name]
            while line and _is_gone(line[0]):
                line.popleft()
            if line:
                oldest = line.popleft()
                self._refuse(oldest, self._full(f"{self.waiting} wait; the one that waited longest made room"))
                return True
            if name == inherited_priority(newcomer):
                return False
        return False

    def _refuse(self, waiter: _Waiter, why: str) -> None:
        self.waiting -= 1
        waiter.turn.set_exception(self._refusal(waiter.call, why))

    def _leave(self, waiter: _Waiter) -> None:
        """See to it that a waiter that was cancelled, or whose coroutine was closed, holds nothing."""
        turn = waiter.turn
        if turn.done() and not turn.cancelled():
            if turn.exception() is None:  # let in and cancelled in the same moment: pass it on
                self._gates.give_back(turn.result(), self._now(), "not begun")
                self.let_in()
            return
        turn.cancel()
        self.waiting -= 1
        if len(self._queue) > 2 * self.waiting + _SLACK:
            self._queue.sweep()
            for name, line in self._arrivals.items():
                self._arrivals[name] = deque(one for one in line if not _is_gone(one))
        if waiter is self._head or not self.waiting:
            self.let_in()  # it may have asked for more than the next one does

    def let_in(self) -> None:
        """Let in whoever is next while the gates allow; then see to it that somebody looks again in time."""
        now = self._now()
        if self.waiting and (why := self._gates.refuses(now)):
            for waiter in list(self._queue):
                self._refuse(waiter, f"{self.limit!r} lets nobody in: {why}. Come back later, or catch Refused.")
        while self.waiting and (head := self._queue.peek()) is not None:
            said = head.said
            ticket = self._gates.try_take(now, said)
            if ticket is not None:
                self._queue.take()
                self.waiting -= 1
                head.turn.set_result(ticket)
            elif said is not None and (window := self._gates.never_fits(said)) is not None:  # it was lowered meanwhile
                self._refuse(head, _too_large(said, window, self.limit))
            else:
                self._head = head
                self._look_again(self._gates.next_at(now, said))
                return
        self._head = None
        if self._timer is not None:  # nobody waits
            self._timer[1].cancel()
            self._timer = None

    def _look_again(self, when: float | None) -> None:
        if when is None or (self._timer is not None and self._timer[0] <= when):
            return
        if self._timer is not None:
            self._timer[1].cancel()
        self._timer = (when, timers_of(self._loop).at(when, self._on_time))

    def _on_time(self, _: object) -> None:
        self._timer = None
        self.let_in()


def _too_large(said: Cost, window: Window, limit: Limit) -> str:
    amount = said[0] if window.name == "tokens_in_per_minute" else said[1]
    return (
        f"its estimate is {amount:,.0f} tokens, and {limit!r} has {window.name}={window.bound:,.0f}: it could never be "
        "let in. Send less at once, correct estimate=, or raise the limit."
    )


def room_statistics(room: Room, limit: Limit) -> dict[str, Any]:
    """Return how many wait, may wait, had to wait and for how long, and were refused; and why they wait."""
    shown: dict[str, Any] = {"waiting": room.waiting, "max_waiting": limit.waiting, "refused": room.refused}
    if room.waited:
        shown |= {"waited": room.waited, "waited_for": room.waited_for}
    if room.waiting and (why := room.held_up()):
        shown["held_up"] = why
    return shown
