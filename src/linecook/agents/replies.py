"""An answer in several pieces: the agent sends them, the asker reads them, and neither runs ahead of the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .._core.errors import UsageError
from .courier import Waiter
from .message import ANSWERED, LEFT, TAKEN, R_contra
from .question import Question

if TYPE_CHECKING:
    from .mailbox import Mailbox

R = TypeVar("R")

BUFFER = 16
"""How many pieces may wait to be read before the agent waits."""


class Streamed(Question[Any, R_contra]):
    """A question that is answered in pieces."""

    __slots__ = ("_pieces", "_room", "_told")

    def __init__(self, body: Any, mailbox: Mailbox) -> None:
        super().__init__(body, mailbox)
        self._pieces: deque[R_contra] = deque()
        self._room: asyncio.Future[None] | None = None
        self._told = False

    # -- the agent's side ----------------------------------------------------------------------------------------

    async def send(self, piece: R_contra) -> bool:
        while self._state < ANSWERED and len(self._pieces) >= BUFFER:
            if self._room is not None:
                raise UsageError(
                    f"two tasks send pieces of the answer to {self!r}: their order would be left to chance"
                )
            self._room = self._loop.create_future()
            try:
                await self._room
            finally:
                self._room = None
        if self._state >= ANSWERED:
            return self._is_late("send")
        self._pieces.append(piece)
        self._tell()
        return True

    def reply(self, value: R_contra) -> bool:
        if self._state >= ANSWERED:
            return self._is_late("reply")
        self._pieces.append(value)
        self._finish()
        return True

    def pass_over(self) -> None:
        if self._state == TAKEN:
            self._finish()

    def _finish(self) -> None:
        """There are no more pieces."""
        self._end(None)
        self._state = ANSWERED
        self._tell()

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _tell(self) -> None:
        if self._wakeup is not None and not self._told:
            self._told = True
            self._mailbox.courier.wake(self)

    # -- the reader's side ---------------------------------------------------------------------------------------

    def cancel(self, msg: object = None) -> bool:
        return Waiter.cancel(self, msg)  # one wait for a piece is given up, as by wait_for; who reads on may do so

    def is_woken(self) -> bool:
        return self._told or self._state >= ANSWERED

    def next_piece(self) -> Generator[Any, None, R_contra]:
        """Wait for the next piece.

        Raises:
          StopAsyncIteration: there is none any more.
          what the question fails with.
        """
        pieces = self._pieces
        while not pieces:
            if self._error is not None:
                error, self._error = self._error, None
                try:
                    raise error
                finally:
                    del error, self
            if self._state >= ANSWERED:
                raise StopAsyncIteration
            self._told = False
            self._asyncio_future_blocking = True
            yield self
        piece = pieces.popleft()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        return piece


class Replies(AsyncIterator[R]):
    """The pieces of one answer; made by ``ref.stream``. Read once, by one task at a time."""

    def __init__(
        self,
        mailbox: Mailbox,
        body: Any,
        timeout: float | None,
        check: Callable[[Question[Any, Any], float | None], None],
    ) -> None:
        self._mailbox = mailbox
        self._body = body
        self._timeout = timeout
        self._check = check
        self._question: Streamed[R] | None = None
        self._closed = False

    def __aiter__(self) -> Replies[R]:
        return self

    async def __anext__(self) -> R:
        """Return the next piece.

        Raises:
          StopAsyncIteration: there is none any more, or the stream was closed.
          what ``ref.ask`` raises.
        """
        if self._question is None:
            if self._closed:
                raise StopAsyncIteration
            self._send()
        assert self._question is not None
        if self._question._wakeup is not None:
            raise UsageError(f"{self!r} is being read by another task; a stream has one reader")
        piece: R = await _Next(self._question)
        return piece

    def _send(self) -> None:
        question: Streamed[R] = Streamed(self._body, self._mailbox)
        if self._mailbox.reader is None:
            self._check(question, self._timeout)
        self._mailbox.put(question)
        if self._timeout is not None:
            question.expire_in(self._timeout)
        self._question = question

    async def aclose(self) -> None:
        """Read no more: the agent's ``send`` returns False from now on. Never waits."""
        self._closed = True
        self._leave()

    def _leave(self) -> None:
        question = self._question
        if question is not None:
            question._pieces.clear()
            question.leave()

    async def __aenter__(self) -> Replies[R]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        question = self._question
        if question is not None and question._state < LEFT and not question._loop.is_closed():
            try:  # whoever drops it may be the garbage collector, on any thread
                question._loop.call_soon_threadsafe(question.leave)
            except RuntimeError:  # closed in between
                return

    def __repr__(self) -> str:
        return f"<stream {self._mailbox.in_words(self._body)}>"


class _Next:
    __slots__ = ("_question",)

    def __init__(self, question: Streamed[Any]) -> None:
        self._question = question

    def __await__(self) -> Generator[Any, None, Any]:
        return self._question.next_piece()
