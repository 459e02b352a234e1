"""One message for many: a shared log that each subscriber reads at its own pace.

A queue for each of 1,000 subscribers holds every message 1,000 times and is written to as often; here a message is
stored once, and a subscriber is a number: how far it has read. The idea is that of log brokers (Kafka), in one process.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Generator
from types import TracebackType
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from .._core.callframe import shorten
from .._core.errors import MailboxClosed, Refused, TooSlow, UsageError
from ..tools.policies.limit import check_count
from .courier import Courier, Waiter, courier_of

M = TypeVar("M")

Slow: TypeAlias = Literal["drop", "block", "disconnect"]
"""What happens when a subscriber is a whole log behind: it misses the oldest, all wait for it, or it is cut off."""


class Topic(Generic[M]):
    """Where many listen to what is published: ``await topic.publish(news)``, ``async for news in topic.subscribe()``.

    Args:
      name: how messages call it.
      keep: how many messages a subscriber may be behind, ≥ 1: so many are kept, whoever has read them.

    A subscriber hears what is published after it has subscribed, in order. One that is slow holds up nobody, unless it
    was subscribed so. A topic belongs to the event loop on which it is used first.
    """

    def __init__(self, name: str = "topic", *, keep: int = 1000) -> None:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"name of topic must be a string, not {name!r}; how much it keeps is said by keep=")
        check_count(0 if keep is None else keep, f"keep of {name}", 1)  # pyright: ignore[reportUnnecessaryComparison]
        self.name = name
        self.keep = keep
        self._log: list[Any] = []  # a ring: message n is in place n % keep
        self._unread: list[int] = []  # how many who block have not read it
        self._published = 0
        self._blockers = 0
        self._closed = False
        self._subscribers = 0
        self._courier: Courier | None = None
        self._asleep: list[Waiter] = []
        self._publishers: deque[tuple[M, asyncio.Future[None]]] = deque()

    async def publish(self, body: M) -> None:
        """Publish *body* to all who subscribe now.

        Waits only for subscribers that were subscribed with ``when_slow="block"`` and are ``keep`` messages behind.

        Raises:
          MailboxClosed: the topic is closed, or was while this waited.

        Cancelled while it waits, it has published nothing, unless there was room in that very turn.
        """
        self._check_loop()
        if not self._is_blocked():
            self._append(body)
            return
        done = asyncio.get_running_loop().create_future()
        self._publishers.append((body, done))
        await done

    def publish_nowait(self, body: M) -> None:
        """Publish *body* without ever waiting.

        Raises:
          Refused: a subscriber that was subscribed with ``when_slow="block"`` is ``keep`` messages behind.
          MailboxClosed: the topic is closed.
        """
        self._check_loop()
        if self._is_blocked():
            raise Refused(
                f"{self.name} can't take {shorten(body)}: a subscriber with when_slow='block' is {self.keep:,} "
                "messages behind. Wait for it with publish(), or subscribe it otherwise."
            )
        self._append(body)

    def subscribe(self, *, when_slow: Slow = "drop") -> Subscription[M]:
        """Listen from now on: ``async for body in topic.subscribe()``.

        Args:
          when_slow: what happens when this subscriber is ``keep`` messages behind and one more is published.
            ``"drop"``: it misses the oldest; ``missed`` counts them. ``"block"``: ``publish`` waits for it.
            ``"disconnect"``: its next read raises ``TooSlow``.

        Raises:
          ValueError: another word.
          MailboxClosed: the topic is closed.
        """
        if when_slow not in ("drop", "block", "disconnect"):
            raise ValueError(f"when_slow of {self.name} must be 'drop', 'block' or 'disconnect', not {when_slow!r}")
        self._check_loop()
        return Subscription(self, when_slow)

    def close(self) -> None:
        """Publish no more: subscribers read what there is, and end."""
        if not self._closed:
            self._closed = True
            self._wake_all()
            publishers, self._publishers = self._publishers, deque()
            for _, done in publishers:
                if not done.done():
                    done.set_exception(MailboxClosed(f"{self.name} was closed before there was room"))

    def statistics(self) -> dict[str, Any]:
        """Return how many subscribers listen, how many of these block, messages published in all, and the bound."""
        return {
            "subscribers": self._subscribers,
            "blocking": self._blockers,
            "published": self._published,
            "keep": self.keep,
        }

    def __repr__(self) -> str:
        return f"<Topic {self.name}: {self._published:,} published, {self._subscribers:,} subscribers>"

    # -- inside --------------------------------------------------------------------------------------------------

    def _check_loop(self) -> None:
        if self._closed:
            raise MailboxClosed(f"{self.name} is closed")
        courier = self._courier
        if courier is None:
            courier = self._courier = courier_of(asyncio.get_running_loop())
        elif courier.loop is not asyncio._get_running_loop():
            raise UsageError(f"{self.name} lives on another event loop: publish and subscribe there")

    def _is_blocked(self) -> bool:
        return bool(self._publishers) or self._is_full()

    def _is_full(self) -> bool:
        return bool(self._blockers) and len(self._log) == self.keep and self._unread[self._published % self.keep] > 0

    def _append(self, body: M) -> None:
        published, log = self._published, self._log
        if published < self.keep:
            log.append(body)
            self._unread.append(self._blockers)
        else:
            place = published % self.keep
            log[place] = body
            self._unread[place] = self._blockers
        self._published = published + 1
        if self._asleep:
            self._wake_all()

    def _wake_all(self) -> None:
        asleep, self._asleep = self._asleep, []
        courier = self._courier
        if asleep and courier is not None:
            courier.ready.extend(asleep)
            if not courier.woken:
                courier.rouse()

    def _let_in(self) -> None:
        """Publish for those who wait, in their order, as far as there is room."""
        while self._publishers and not self._is_full():
            body, done = self._publishers.popleft()
            if not done.done():
                self._append(body)
                done.set_result(None)

    def _was_read(self, number: int) -> None:
        """One that blocks has read message *number*."""
        place = number % self.keep
        self._unread[place] -= 1
        if self._publishers and not self._unread[place]:
            self._let_in()


class Subscription(Waiter, Generic[M]):
    """One listener of a topic; made by ``topic.subscribe``. Read by one task at a time.

    ``async with topic.subscribe() as news`` ends it when the block is left; one that is dropped ends as well.

    Attributes:
      missed: how many messages it was too slow for.
    """

    __slots__ = ("__weakref__", "_closed", "_cursor", "_slept_at", "_topic", "_when_slow", "missed")

    def __init__(self, topic: Topic[M], when_slow: Slow) -> None:
        assert topic._courier is not None
        self._closed = True
        self._loop = topic._courier.loop
        self._wakeup = None
        self._topic = topic
        self._when_slow: Slow = when_slow
        self._cursor = topic._published
        self._slept_at = -1
        self.missed = 0
        topic._subscribers += 1
        topic._blockers += when_slow == "block"
        self._closed = False

    def __len__(self) -> int:
        """Return how many messages it has not read and can still read."""
        return 0 if self._closed else min(self._topic._published - self._cursor, self._topic.keep)

    def __bool__(self) -> bool:
        return True

    def __aiter__(self) -> Subscription[M]:
        return self

    @types.coroutine
    def __anext__(self) -> Generator[Any, None, M]:
        """Wait for the next message.

        Raises:
          StopAsyncIteration: the topic was closed, and everything is read; or the subscription was closed.
          TooSlow: it was subscribed with ``when_slow="disconnect"``, and more than ``keep`` messages behind.
        """
        topic = self._topic
        while self._cursor == (published := topic._published):
            if topic._closed or self._closed or self._wakeup is not None:
                raise self._no_more()
            if self._slept_at != published:  # else it is in that list already
                self._slept_at = published
                topic._asleep.append(self)
            self._asyncio_future_blocking = True
            yield self
        cursor = self._cursor
        if self._closed or published - cursor > topic.keep:
            cursor = self._catch_up(published - topic.keep)
        body: M = topic._log[cursor % topic.keep]
        self._cursor = cursor + 1
        if self._when_slow == "block":
            topic._was_read(cursor)
        return body

    def is_woken(self) -> bool:
        return self._cursor != self._topic._published or self._topic._closed or self._closed

    def _no_more(self) -> Exception:
        if self._wakeup is not None:
            return UsageError(f"two tasks read one subscription of {self._topic.name}: subscribe once for each")
        self.close()
        return StopAsyncIteration()

    def _catch_up(self, oldest: int) -> int:
        """Go to message *oldest*, the first that is kept."""
        if self._closed:
            raise StopAsyncIteration
        behind = self._topic._published - self._cursor
        if self._when_slow == "disconnect":
            self.close()
            raise TooSlow(
                f"a subscriber of {self._topic.name} was {behind:,} messages behind, with keep={self._topic.keep:,} "
                "and when_slow='disconnect': it was cut off. Subscribe again, read faster, or keep more."
            )
        self.missed += oldest - self._cursor
        return oldest

    def close(self) -> None:
        """Listen no more; who waits for a message here ends."""
        if self._closed:
            return
        self._closed = True
        topic = self._topic
        topic._subscribers -= 1
        if self._when_slow == "block":
            topic._blockers -= 1
            for number in range(self._cursor, topic._published):
                topic._was_read(number)
            topic._let_in()
        if self._wakeup is not None and topic._courier is not None:
            topic._courier.wake(self)

    async def __aenter__(self) -> Subscription[M]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._closed and not self._loop.is_closed():
            try:  # the garbage collector may be on any thread
                self._loop.call_soon_threadsafe(_leave, self._topic, self._cursor, self._when_slow)
            except RuntimeError:  # closed in between
                return

    def __repr__(self) -> str:
        return f"<Subscription of {self._topic.name}: {len(self)} to read, {self.missed} missed>"


def _leave(topic: Topic[Any], cursor: int, when_slow: Slow) -> None:
    """A subscription that stood at *cursor* was dropped."""
    gone: Subscription[Any] = Subscription(topic, when_slow)
    topic._subscribers -= 1
    topic._blockers -= when_slow == "block"
    gone._cursor = cursor
    gone.close()
