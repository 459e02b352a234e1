"""What others hold of an agent: they send to it, ask it, and see it end; it stays the same over restarts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._core.context import Due, Frame, get_frame
from .._core.deadline import check_seconds
from .._core.errors import AsksItself, NestedTool, UsageError
from .._core.outcome import Outcome
from .circle import circle_of
from .message import WAITING, Ask, Message
from .question import Question
from .recipe import Recipe
from .replies import Replies

if TYPE_CHECKING:
    from .child import Child

M_contra = TypeVar("M_contra", contravariant=True)
R = TypeVar("R")

_running_loop = asyncio._get_running_loop  # None where there is none: a thread that sends gets our words


class Ref(Generic[M_contra]):
    """An agent that was started in a team: send it messages of type *M*. Made by ``team.start``.

    It is the same over restarts. Messages arrive in the order in which one sender sent them, each at most once.
    """

    __slots__ = ("_child",)

    def __init__(self, child: Child) -> None:
        self._child = child

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self._child is other._child  # pyright: ignore[reportUnknownMemberType]

    def __hash__(self) -> int:
        return hash(self._child)

    @property
    def path(self) -> str:
        """Where the agent stands in the tree of calls, as reports name it."""
        return self._child.name

    @property
    def is_alive(self) -> bool:
        """Whether the agent takes messages; False once it has ended for good, or is being stopped."""
        return self._child.closed is None

    async def tell(self, body: M_contra) -> None:
        """Send *body* and want no answer. Waits for room in the mailbox, if it was started so.

        Raises:
          MailboxClosed: the agent has ended, or ended before there was room.
          Refused: the mailbox is full, and the agent was started with ``when_full="refuse"``; or it is the agent's own,
            where to wait would be for ever.

        Cancelled while it waits, it has sent nothing, unless the agent had taken the message in that very turn. It says
        nothing of what the agent does with it: what the agent fails on, and what is dropped, is in
        ``team.dead_letters``.
        """
        mailbox = self._child
        message: Message[M_contra, Any] = Message(body, mailbox)
        if _running_loop() is not mailbox.loop:
            raise _of_another_loop(mailbox)
        if mailbox.waiting >= mailbox.most and mailbox.task is asyncio.current_task() and mailbox.would_wait():
            raise mailbox.too_full(body)
        mailbox.put(message)
        if message._state == WAITING:  # pyright: ignore[reportPrivateUsage]
            await message

    def tell_nowait(self, body: M_contra) -> None:
        """Send *body* without ever waiting; a full mailbox refuses, or drops its oldest if it was started so.

        Raises:
          MailboxClosed, Refused: as ``tell`` does.
        """
        mailbox = self._child
        if _running_loop() is not mailbox.loop:
            raise _of_another_loop(mailbox)
        if mailbox.waiting >= mailbox.most and mailbox.would_wait():
            raise mailbox.too_full(body)
        mailbox.put(Message(body, mailbox))

    async def ask(self, body: Ask[R], *, timeout: float | None = None) -> R:
        """Send *body* and wait for the agent's reply.

        Args:
          body: the question; delivered at most once, unless the agent was started with ``deliveries`` above 1.
          timeout: seconds until we stop waiting, room in the mailbox and the messages before ours included, ≥ 0; None
            waits with the nearest deadline around us. An agent that asks on behalf of its asker passes
            ``remaining()``: what he has left tells it when to give up, and never cancels it.

        Returns:
          What the agent passed to ``message.reply``.

        Raises:
          TimedOutError: no reply in time. A late reply is dropped; the agent isn't cancelled, and doesn't see the
            question at all if it hadn't taken it yet.
          AgentFailed: the agent failed or was stopped before it had answered; why is ``__cause__``.
          NoReply: it took the question and went on without an answer.
          MailboxClosed: it has ended, or is being stopped.
          Refused: its mailbox is full and lets nobody wait, or has dropped the question for a newer message.
          NestedTool: a tool asks: it is a leaf, and would hold its limits while it waits for an agent.
          AsksItself: the agent asks itself; or agents ask each other in a circle, and no deadline would end it.
          what the agent passed to ``message.fail``.

        The asker's deadline travels with the question: ``remaining()`` tells it inside the agent. Semantics follow
        Erlang's ``gen_server:call``: the reply goes to a ticket of this question alone, so a late one can't be taken
        for the answer to a later question.
        """
        mailbox = self._child
        if timeout is not None and not (type(timeout) is float and timeout >= 0.0):
            check_seconds(timeout, f"timeout of {mailbox.in_words(body)}")
        frame = get_frame()
        if frame is not None and frame.is_tool:
            raise _from_a_tool(frame, mailbox)
        question: Question[Any, Any] = Question(body, mailbox)
        if mailbox.reader is None:
            self._check_circle(question, timeout)
        elif _running_loop() is not mailbox.courier.loop:
            raise _of_another_loop(mailbox)
        mailbox.put(question)
        if timeout is not None:
            question.expire_in(timeout)
        answer: R = await question.answered()
        return answer

    def _check_circle(self, question: Question[Any, Any], timeout: float | None) -> None:
        """Refuse what could never be answered; to be called when the agent doesn't wait for a message just now."""
        mailbox = self._child
        if _running_loop() is not mailbox.loop:
            raise _of_another_loop(mailbox)
        task = asyncio.current_task()
        if mailbox.task is task:
            raise AsksItself(
                f"{mailbox.name} asks itself: it could answer only when it has the answer. Call the function that does "
                "the work, or tell() the message to do it later."
            )
        deadline = question._deadline  # pyright: ignore[reportPrivateUsage]
        if timeout is None and (deadline is None or _has_travelled(deadline)):
            circle = circle_of(mailbox, task)
            if circle:
                raise AsksItself(
                    f"these agents ask each other in a circle, without a deadline: {' > '.join(circle)}. Nobody could "
                    "ever answer. Give ask a timeout=, or use tell() for one of the ways."
                )

    def stream(self, body: Ask[R], *, timeout: float | None = None) -> Replies[R]:
        """Send *body* and read the answer piece by piece: ``async for piece in tutor.stream(Explain("asyncio"))``.

        Args:
          body: the question, sent when the first piece is asked for.
          timeout: seconds for the whole answer, from then on; None for the nearest deadline.

        Returns:
          The pieces that the agent passes to ``message.send``, as they are made; at most 16 wait to be read. Leaving
          the loop early? ``async with tutor.stream(...) as pieces`` tells the agent when the block is left.

        Reading raises what ``ask`` raises, after the pieces that came before.
        """
        check_seconds(timeout, "timeout of stream")
        frame = get_frame()
        if frame is not None and frame.is_tool:
            raise _from_a_tool(frame, self._child)
        return Replies(self._child, body, timeout, self._check_circle)

    async def stop(self, *, grace: float | None = None) -> Outcome[Any]:
        """End the agent, and see it end: first politely, then hard. It isn't restarted.

        It takes no new messages from now on, and has *grace* seconds to handle those that wait; then it is cancelled,
        and asked three times to end. What it didn't get to is in ``team.dead_letters``, and its askers are told.

        Args:
          grace: seconds, ≥ 0; 0 cancels at once. None for the team's ``grace``.

        Returns:
          How it ended. Also when it had ended before.

        Raises:
          UsageError: the agent stops itself, and would wait for its own end: let it return. Or it lives on another
            event loop.

        Whoever is cancelled here hears of it at once while the end is polite, and else when the agent has ended: it is
        not taken back.
        """
        self._check_loop()
        return await self._child.stop(grace)

    async def wait_closed(self) -> Outcome[Any]:
        """Wait until the agent has ended for good, and return how; restarts aren't an end.

        Raises:
          UsageError: it lives on another event loop.
        """
        self._check_loop()
        return await self._child.wait()

    def _check_loop(self) -> None:
        if _running_loop() is not self._child.loop:
            raise _of_another_loop(self._child)

    def statistics(self) -> dict[str, Any]:
        """Return what it does and every bound.

        ``state`` is ``"waiting"`` (for a message), ``"busy"``, ``"restarting"`` or ``"ended"``. ``waiting`` of
        ``capacity`` messages wait in the mailbox, ``waiting_for_room`` outside it, ``deferred`` were taken and will be
        answered later. ``taken`` messages were taken in all; ``late`` replies came when the asker had left. ``starts``
        counts restarts and the first start.
        """
        return self._child.statistics()

    def __repr__(self) -> str:
        return f"<Ref of {self._child.name}: {self._child.state}>"


def _has_travelled(deadline: Due) -> bool:
    """Say whether *deadline* came with the question that an agent handles here: it tells, and ends nobody's wait."""
    frame = get_frame()
    while frame is not None:
        if isinstance(frame, Recipe):
            return frame.inbox.follows(deadline)
        frame = frame.parent
    return False


def _from_a_tool(tool: Frame, mailbox: Child) -> NestedTool:
    return NestedTool(
        f"the tool {tool.name} asks {mailbox.name}: a tool is a leaf, and would hold its limits while it waits for an "
        f"agent. Make {tool.name} an agent, or ask before it is called and pass the answer in."
    )


def _of_another_loop(mailbox: Child) -> UsageError:
    return UsageError(
        f"{mailbox.name} lives on another event loop: send to it from there, with "
        "asyncio.run_coroutine_threadsafe(ref.ask(...), loop)"
    )
