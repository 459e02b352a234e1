"""``flat_map``: each item becomes many, which go on one by one, as fast as there is room for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

from .._core.callframe import CallFrame, call_from
from .._core.errors import LaneLost
from .byinput import pass_on_the_end
from .item import Item, Split
from .stages import Work
from .station import Station

if TYPE_CHECKING:
    from .gathering import Grouping
    from .line import Line

_BURST = 64


class Splitting(Station):
    """The stage of a ``flat_map``.

    Attributes:
      together: where the pieces are put together again; None when they aren't.
    """

    def __init__(self, line: Line, stage: Work, before: int) -> None:
        super().__init__(line, stage, before)
        self.together: Grouping | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()  # for room after it
        self._splits: dict[int, Split] = {}  # of the items under way, by place
        self._now = monotonic if self._on_virtual_time is None else self.loop.time
        self._waits_began: dict[asyncio.Future[None], float] = {}
        self._waited = 0.0  # for room, or for a turn
        self._turns: dict[int, asyncio.Future[None]] = {}  # for those before them to have sent everything, by place

    def accept(self, item: Item) -> None:
        self.put_in(item)

    def _room_after(self) -> int:
        assert self.after is not None
        if self.together is not None and self.together.free() <= 0:
            return 0
        return self.after.free()

    def _want_room(self) -> None:
        assert self.after is not None
        if self.after.free() <= 0:
            self.after.want()
        else:
            assert self.together is not None
            self.together.want_whole()

    def _call_for(self, item: Item) -> CallFrame:
        spread: Any = self._spread(item)
        spread.__qualname__ = "item"  # by which top, ps and tree show it
        return call_from(spread)

    async def _spread(self, item: Item) -> None:
        split = self._splits[item.place] = Split(item, self._on_whole())
        try:
            await self._make_pieces(split)
        except Exception as error:
            if not callable(self.stage.on_error):
                raise
            for value in pieces_of(self.stage.on_error(item.value, error), f"on_error of {self.name}"):
                await self._send_piece(split, value)

    def _on_whole(self) -> Callable[[Split], None] | None:
        if self.together is not None:
            return self.together.look_at
        return None if self._line.open_ticket is None else pass_on_the_end

    def _lose(self, item: Item) -> None:
        if self._on_whole() is not pass_on_the_end:  # else that is told with the last of its pieces
            super()._lose(item)

    async def _make_pieces(self, split: Split) -> None:
        """Make and send the pieces; again, with another worker, if that died before the first one."""
        while True:
            try:
                await self._make_pieces_once(split)
            except LaneLost as error:
                item = split.item
                item.tries += 1
                if not split.made and self._may_try_again(item, error):
                    continue
                raise
            return

    async def _make_pieces_once(self, split: Split) -> None:
        made = self._tool(split.item.value)
        if not hasattr(made, "__anext__"):
            for value in pieces_of(await made, self.name):
                await self._send_piece(split, value)
            return
        async with made as pieces:
            async for value in pieces:
                await self._send_piece(split, value)

    async def _send_piece(self, split: Split, value: Any) -> None:
        after, item = self.after, split.item
        assert after is not None
        while self.stage.ordered and item.place != self._sent:
            await self._wait(self._turns.setdefault(item.place, self.loop.create_future()))
        while not after.free() > 0:
            room = self.loop.create_future()
            self._waiting.append(room)
            after.want()
            self._note("blocked")
            await self._wait(room)
        piece = split.made
        split.made += 1
        after.accept(Item(value, item.origin, split, piece))
        if piece % _BURST == _BURST - 1:  # pieces that end at once must not keep the loop from the others
            await asyncio.sleep(0)

    async def _wait(self, news: asyncio.Future[None]) -> None:
        """Wait for *news*: time in which its worker isn't busy."""
        self._waits_began[news] = self._now()
        try:
            await news
        finally:
            self._waited += self._now() - self._waits_began.pop(news)

    def busy_so_far(self) -> float:
        now = self._now()
        waited = self._waited + sum(now - began for began in self._waits_began.values())
        return max(0.0, super().busy_so_far() - waited)

    def on_room(self) -> None:
        assert self.after is not None
        free = self.after.free()
        while self._waiting and free > 0:
            room = self._waiting.popleft()
            if not room.done():
                room.set_result(None)
                free -= 1
        if self._waiting:
            self.after.want()
        super().on_room()

    def _ended_well(self, item: Item, value: Any, seconds: float) -> None:
        self.busy += seconds
        self.done += 1
        self._splits.pop(item.place).end()
        self._send_nothing(item)

    def _send_in_order(self) -> None:
        super()._send_in_order()
        turn = self._turns.pop(self._sent, None)
        if turn is not None and not turn.done():
            turn.set_result(None)

    def _failed(self, item: Item, error: BaseException) -> None:
        item.tries = max(item.tries, 1)  # it had its tries, in _make_pieces
        if callable(self.stage.on_error) and isinstance(error, Exception):  # it was asked, and raised in its turn
            self.failed += 1
            self._fail(item, error, f"on_error of {self.name}, for item {item.origin} of the pipeline's input")
        else:
            self._give_up(item, error)
        split = self._splits.pop(item.place, None)
        if split is not None:  # after the error was told: an outcome may wait for nothing but this
            split.end(is_broken=True)


def pieces_of(made: object, name: str) -> Iterable[Any]:
    """Return *made* as what can be iterated over.

    Raises:
      TypeError: it can't be, or is a text, which would fall into letters.
    """
    if isinstance(made, (str, bytes)) or not isinstance(made, Iterable):
        raise TypeError(f"{name} must return a list or yield values, and returned {type(made).__name__}: {made!r:.80}")
    return made  # pyright: ignore[reportUnknownVariableType]
