"""Calls under several limits: all of them are taken before the body begins, and given back whatever happens.

Each is taken while those before it are held, in one order for all tools: no two calls can each hold what the other
waits for. So the first one lets a call in that begins later, when the last one has: until then its start is reserved
rather than counted, or all who wait for the last would begin at one moment, more than the first allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..._core.callframe import CallFrame
from ..._runtime import current
from .door import Door
from .limit import Limit
from .places import Places
from .signals import Overloaded, Signal, retry_after, signal_of_call
from .states import door_finder, in_order, state_of
from .ticket import Ticket

if TYPE_CHECKING:
    from ..call import Call
    from ..stream_frame import StreamFrame

Way = tuple[Limit, Callable[[CallFrame], Door] | None]
"""A limit, and what finds its door for a call; None for places."""


def ways_through(limits: Limit | Sequence[Limit] | None, body: Callable[..., Any]) -> list[Way]:
    """Return the ways through *limits*, in order; *body* is the function whose arguments they may look at."""
    return [(limit, None if limit.is_plain else door_finder(limit, body)) for limit in in_order(limits)]


class Through:
    """``async with Through(call, ways):`` *call* holds a place in each limit."""

    def __init__(self, call: Call[Any] | StreamFrame, ways: Sequence[Way]) -> None:
        self._call = call
        self._ways = ways
        self._held: list[tuple[Places | Door, Ticket | None, Overloaded | None]] = []
        self._attempts = call.attempts

    async def __aenter__(self) -> None:
        try:
            for limit, find in self._ways:
                if find is None:
                    await self._take_place(limit)
                else:
                    await self._take(find(self._call), limit)
        except BaseException:
            self._give_back("not begun", None)
            raise
        for state, ticket, _ in self._held:
            if ticket is not None and isinstance(state, Door):
                state.begin(ticket)

    async def _take_place(self, limit: Limit) -> None:
        places = state_of(limit, current())
        assert isinstance(places, Places)
        if not places.try_take_place():
            await places.take_place(self._call)
        self._held.append((places, None, None))

    async def _take(self, door: Door, limit: Limit) -> None:
        ticket = door.try_take(self._call) or await door.take(self._call)
        self._held.append((door, ticket, limit.overloaded))
        door.hold(ticket)

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._give_back("ok" if error is None else "nothing", error)

    def _give_back(self, signal: Signal, error: BaseException | None) -> None:
        """Give all of them back, the last one taken first, also when the user's ``overloaded=`` of one fails."""
        if not self._held:
            return
        state, ticket, overloaded = self._held.pop()
        ended: Signal = signal
        try:
            if error is not None and ticket is not None:
                ended = signal_of_call(self._call, error, self._attempts, overloaded)
        finally:
            self._give_one_back(state, ticket, ended, error)
            self._give_back(signal, error)

    def _give_one_back(
        self, state: Places | Door, ticket: Ticket | None, signal: Signal, error: BaseException | None
    ) -> None:
        if isinstance(state, Door):
            assert ticket is not None
            state.give_back(self._call, ticket, signal, None if error is None else retry_after(error))
        else:
            if error is not None:
                state.look_at(error)
            state.give_place_back()


class Admitted(Through):
    """``async with Admitted(call, limits, body):`` for bodies that aren't run by a runner: streams."""

    def __init__(
        self, call: Call[Any] | StreamFrame, limits: Limit | Sequence[Limit] | None, body: Callable[..., Any]
    ) -> None:
        super().__init__(call, ways_through(limits, body))
