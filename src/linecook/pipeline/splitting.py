"""``flat_map``: each item becomes many, which go on one by one, as fast as there is room for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .item import Item, Split
from .stages import Work
from .station import Station

if TYPE_CHECKING:
    from .gathering import Grouping
    from .line import Line


class Splitting(Station):
    """The stage of a ``flat_map``.

    Attributes:
      together: where the pieces are put together again; None when they aren't.
    """

    def __init__(self, line: Line, stage: Work, before: int) -> None:
        super().__init__(line, stage, before)
        self.together: Grouping | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()  # for room after it
        self._turns: dict[int, asyncio.Future[None]] = {}  # for those before them to have sent everything, by place

    def _room_after(self) -> int:
        assert self.after is not None
        return self.after.free()

    def _call_for(self, item: Item) -> Any:
        return self._spread(item)

    async def _spread(self, item: Item) -> None:
        split = Split(item, None if self.together is None else self.together.look_at)
        sent = [0]
        try:
            await self._make_pieces(item, split, sent)
        except Exception as error:
            if not callable(self.stage.on_error):
                split.end(sent[0], is_broken=True)
                raise
            for value in pieces_of(self.stage.on_error(item.value, error), f"on_error of {self.name}"):
                await self._send_piece(item, split, sent, value)
        split.end(sent[0])

    async def _make_pieces(self, item: Item, split: Split, sent: list[int]) -> None:
        made = self._tool(item.value)
        if not hasattr(made, "__anext__"):
            for value in pieces_of(await made, self.name):
                await self._send_piece(item, split, sent, value)
            return
        async with made as pieces:
            async for value in pieces:
                await self._send_piece(item, split, sent, value)

    async def _send_piece(self, item: Item, split: Split, sent: list[int], value: Any) -> None:
        after = self.after
        assert after is not None
        while self.stage.ordered and item.place != self._sent:
            await self._wait(self._turns.setdefault(item.place, self.loop.create_future()))
        while not after.free():
            room = self.loop.create_future()
            self._waiting.append(room)
            after.want()
            await self._wait(room)
        after.accept(Item(value, item.origin, split, sent[0]))
        sent[0] += 1

    async def _wait(self, news: asyncio.Future[None]) -> None:
        self._note("blocked")
        await news

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

    def _finished(self, item: Item, value: Any) -> None:
        self.done += 1
        self._send_nothing(item)

    def _send_in_order(self) -> None:
        super()._send_in_order()
        turn = self._turns.pop(self._sent, None)
        if turn is not None and not turn.done():
            turn.set_result(None)

    def _failed(self, item: Item, error: BaseException) -> None:
        if callable(self.stage.on_error) and isinstance(error, Exception):  # it was asked, and raised in its turn
            self._line.fail(error, f"on_error of {self.name}, for item {item.origin} of the pipeline's input")
            return
        super()._failed(item, error)


def pieces_of(made: object, name: str) -> Iterable[Any]:
    """Return *made* as what can be iterated over.

    Raises:
      TypeError: it can't be, or is a text, which would fall into letters.
    """
    if isinstance(made, (str, bytes)) or not isinstance(made, Iterable):
        raise TypeError(f"{name} must return a list or yield values, and returned {type(made).__name__}: {made!r:.80}")
    return made  # pyright: ignore[reportUnknownVariableType]
