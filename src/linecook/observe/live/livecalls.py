"""What is told of calls under way: records that travel as JSON, and are the same on both sides of the socket."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

State = Literal["running", "waiting", "ready", "abandoned", "open", "ended"]


@dataclass(frozen=True, slots=True)
class LiveCall:
    """One call under way, or a block (a fan-out, a scope) in which calls run.

    Attributes:
      id: a number that stays the same while it is alive, from 1.
      path: where it stands in the tree of calls.
      name: the function's name, or the block's.
      kind: ``"call"`` or ``"block"``.
      lane: where its body runs; empty for a block.
      state: ``"running"`` on a thread, in a process or on the loop; ``"waiting"``; ``"ready"``: it waits for nothing
        but its turn on the loop; ``"abandoned"``: it was given up, and its thread runs on; ``"open"`` for a block;
        ``"ended"``: only what it has left behind is under way.
      waits_for: ``"lane"``, ``"limit"``, ``"retry"``, ``"child"`` (a call it awaits), ``"children"`` (those of a
        fan-out or scope), ``"handle"``, ``"stream"``, ``"reader"`` (of its own stream), ``"resource"``, ``"ending"``
        (calls it has cancelled), ``"message"`` (of its inbox, or of a topic), ``"reply"`` (of an agent it has asked),
        ``"room"`` (in another's mailbox, or in a topic), ``"agent"`` (whose end it waits for), ``"approval"``,
        ``"task"``, ``"sleep"`` or ``"asyncio"``; None unless it is waiting.
      what: which one: the limit with its counts, the child's path, the thread, ``"Queue.get"``; may be empty.
      place: ``file:line in function`` of its own code; empty when it isn't known, as in a worker process.
      seconds: since it began, the wait for a place included; 0.0 for a block.
      exact: whether that is exact; else it is at least so long: of a call that is simply awaited nobody takes the time.
      deadline_left: seconds to the nearest deadline around it, 0.0 when that has passed; None: there is none.
      attempt: which attempt is under way, from 1; 0: the body has not begun.
      priority: ``"interactive"``, ``"normal"`` or ``"batch"``.
      ending: whether it was asked to end, and hasn't.
      parent: the ``id`` of the call or block it runs under; None at the top.
      children: how many calls and blocks are alive right under it, shown or not.
    """

    id: int
    path: str
    name: str
    kind: Literal["call", "block"]
    lane: str
    state: State
    waits_for: str | None
    what: str
    place: str
    seconds: float
    exact: bool
    deadline_left: float | None
    attempt: int
    priority: str
    ending: bool
    parent: int | None
    children: int


@dataclass(frozen=True, slots=True)
class LiveCount:
    """How many calls of one function do the same."""

    name: str
    lane: str
    state: State
    waits_for: str | None
    count: int


@dataclass(frozen=True, slots=True)
class LiveCalls:
    """Everything under way in one process, at one moment.

    Attributes:
      pid: the process.
      at: ``time.time()`` there.
      total: how many calls are alive.
      calls: at most as many as were asked for, longest first, those that wait for another call last; and the blocks and
        calls that they run under.
      counts: all of them, by function and by what they do, most frequent first.
      stands_still: where the event loop stands, when it didn't answer; then calls were looked at from outside, and what
        is ready can't be told from what waits. None: it answered.
      pipelines: a sentence about each pipeline that runs, and a line about each of its stages.
    """

    pid: int
    at: float
    total: int
    calls: tuple[LiveCall, ...]
    counts: tuple[LiveCount, ...]
    stands_still: str | None = None
    pipelines: tuple[str, ...] = ()


def together(found: list[LiveCalls]) -> LiveCalls:
    """Return what was found on several loops of one process as one."""
    if len(found) == 1:
        return found[0]
    counts: Counter[tuple[str, str, State, str | None]] = Counter()
    for calls in found:
        counts.update({(each.name, each.lane, each.state, each.waits_for): each.count for each in calls.counts})
    standing = [calls.stands_still for calls in found if calls.stands_still is not None]
    return LiveCalls(
        os.getpid(),
        time.time(),
        sum(calls.total for calls in found),
        tuple(call for calls in found for call in calls.calls),
        tuple(LiveCount(*what, many) for what, many in counts.most_common()),
        "; ".join(standing) or None,
        tuple(words for calls in found for words in calls.pipelines),
    )
