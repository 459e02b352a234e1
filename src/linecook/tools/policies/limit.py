"""How many calls of a tool, or of several that share a ``Limit``, may be in flight at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..._core.callframe import CallFrame
from ..._core.context import Priority, inherited_priority
from ..._core.errors import Refused
from ..._core.waitqueue import WaitQueue
from ..._runtime import Runtime, current

if TYPE_CHECKING:
    from ..call import Call
    from ..placement import Runner


_Turn = tuple[asyncio.Future[None], Priority]
_SLACK = 64


class Limit:
    """At most so many calls in flight at once; an object that any number of tools may share.

    Args:
      in_flight: most calls that run at once, ≥ 1; None for no bound.
      name: how reports call it.
      waiting: most calls that may wait for a place, ≥ 0; one more raises ``Refused`` at once.

    Counts are per runtime. Calls wait by priority, first come first served within one, holding nothing else: no
    thread, no process, no other limit. A limit sits on tools, which are leaves: so no call that holds a place waits
    for a child that needs one.
    """

    def __init__(self, in_flight: int | None = None, *, name: str | None = None, waiting: int = 10_000) -> None:
        check_count(in_flight, "Limit's in_flight", 1)
        if waiting is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise TypeError("Limit's waiting must be a whole number: every queue has a bound")
        check_count(waiting, "Limit's waiting", 0)
        self.in_flight = in_flight
        self.name = name
        self.waiting = waiting

    def __repr__(self) -> str:
        return f"Limit({self.in_flight}, name={self.name!r})"


def check_count(value: object, name: str, least: int) -> None:
    """Refuse what is neither None nor a whole number of *least* or more, naming *name*.

    Raises:
      TypeError: it isn't a whole number.
      ValueError: it is below *least*.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be {least} or more, not {value}")


class Places:
    """The places of one limit in one runtime."""

    __slots__ = ("_limit", "_queue", "taken", "waiting")

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._queue: WaitQueue[_Turn] = WaitQueue()
        self.taken = 0
        self.waiting = 0  # those in the queue that were not cancelled meanwhile

    def try_take(self) -> bool:
        """Take a place if one is free and nobody waits for it."""
        bound = self._limit.in_flight
        if (bound is None or self.taken < bound) and not self._queue:
            self.taken += 1
            return True
        return False

    async def take(self, call: CallFrame) -> None:
        """Wait for a place, and take it.

        Raises:
          Refused: as many wait already as may.
        """
        if self.waiting >= self._limit.waiting:
            raise Refused(
                f"{call!r} was refused: {self.taken} calls are in flight and {self.waiting} wait for {self._limit!r}. "
                "Send fewer at once (limit= of the fan-out), or raise the limit's waiting=.",
                call=call,
            )
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        priority = inherited_priority(call)
        began = loop.time()
        self._queue.put((turn, priority), priority)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give_back()  # the place came in the same moment as the cancellation: pass it on
            elif len(self._queue) > 2 * self.waiting + _SLACK:
                self._sweep()
            raise
        finally:
            self.waiting -= 1
            call.queued += loop.time() - began

    def give_back(self) -> None:
        """Hand the place to whoever is next, or free it."""
        while (next_in_line := self._queue.take()) is not None:
            turn, _ = next_in_line
            if not turn.done():
                turn.set_result(None)
                return
        self.taken -= 1

    def _sweep(self) -> None:
        """Take those out of the queue that wait no more: a hung tool's callers may come and time out for ever."""
        for entry in self._queue.drain():
            if not entry[0].done():
                self._queue.put(entry, entry[1])

    def statistics(self) -> dict[str, int | None]:
        """Return how many are in flight and waiting, and the bounds."""
        return {
            "in_flight": self.taken,
            "waiting": self.waiting,
            "max_in_flight": self._limit.in_flight,
            "max_waiting": self._limit.waiting,
        }


def places_of(limit: Limit, runtime: Runtime) -> Places:
    """Return the places of *limit* in *runtime*, made on first use."""
    places: Places | None = runtime.limits.get(limit)
    if places is None:
        places = runtime.limits[limit] = Places(limit)
    return places


def limited(run: Runner, limit: Limit) -> Runner:
    """Return *run*, admitted by *limit*."""

    async def run_limited(call: Call[Any]) -> Any:
        places = places_of(limit, current())
        if not places.try_take():
            await places.take(call)
        try:
            return await run(call)
        finally:
            places.give_back()

    return run_limited
