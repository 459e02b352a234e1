"""What a call does or waits for, in words: names of threads and limits, lines of code, paths of other calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..._core.callframe import CallFrame
from ..._core.place import Place
from ..place import Spot, users_spot
from .chains import glance_at

if TYPE_CHECKING:
    from .alive import Alive

Threads = dict[Any, tuple[str, int]]
"""By job: name and ident of the thread that runs its body."""


def at_work_in(runtime: Any) -> Threads:
    """Return which thread of *runtime*'s lane runs which job, those that were given up included."""
    lane = runtime._lanes.thread
    if lane is None:
        return {}
    workers = {**lane._claims.copy(), **{job: worker for worker, job in lane._abandoned.copy().items()}}
    return {job: (worker.thread.name, worker.ident) for job, worker in workers.items() if worker is not None}


def words_for(each: Alive, threads: Threads) -> str:
    """Return which thing it is that *each* waits for, or where it runs; empty when there is no more to say."""
    wait = each.wait
    if wait is None:
        return "" if each.child is None else each.child.path
    told = _WORDS.get(wait.kind)
    return "" if told is None else told(each, wait.what, wait.word, threads)


def _job(each: Alive, job: Any, _word: str, threads: Threads) -> str:
    lane = each.frame.lane if isinstance(each.frame, CallFrame) else "thread"
    if job in threads:
        return f"thread {threads[job][0]}"
    worker: Any = getattr(job, "worker", None)  # jobs of the short way have none until a process takes them
    return lane if worker is None or isinstance(worker, str) else f"process {worker[0].pid}"


def _limit(each: Alive, room: Any, _word: str, _threads: Threads) -> str:
    asked = getattr(getattr(getattr(each.frame, "tool", None), "asked", None), "limit", None)
    shared = room.name if room.limit.name is None else f"limit {room.name}"
    name = f"limit={asked} of {each.frame.name}" if isinstance(asked, int) else shared
    why = room.held_up()
    return f"{name}: {f'{why}, ' if why else ''}{room.taken} in flight, {room.waiting} waiting"


def _retry(each: Alive, _what: Any, _word: str, _threads: Threads) -> str:
    retry = getattr(getattr(getattr(each.frame, "tool", None), "asked", None), "retry", None)
    done = each.frame.attempts if isinstance(each.frame, CallFrame) else 0
    return f"attempt {done + 1} of {retry.attempts}" if retry is not None else ""


def _children(_each: Alive, block: Any, _word: str, _threads: Threads) -> str:
    fanout = getattr(block, "fanout", block)
    if hasattr(fanout, "agents"):
        return f"{len(fanout.agents):,} agents of a team"
    if hasattr(fanout, "running"):
        return f"{_calls(len(fanout.running))} of {fanout._frame.name}"
    return "" if block is None else f"{_calls(len(block.handles))} of a scope"


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


def _sleep(each: Alive, timer: Any, _word: str, _threads: Threads) -> str:
    if timer is None or each.task is None:
        return ""
    return f"{max(0.0, timer.when() - each.task.get_loop().time()):.1f} s left"


def _asyncio(_each: Alive, waiter: Any, word: str, _threads: Threads) -> str:
    if not _is_task(waiter):
        return word or type(waiter).__name__
    inside = glance_at(waiter)
    return waiter.get_name() if inside is None else inside.calls[0].path


def _is_task(waiter: Any) -> bool:
    return isinstance(waiter, asyncio.Task)


def _handle(_each: Alive, handle: Any, _word: str, _threads: Threads) -> str:
    return "" if handle is None else handle.call.path


def _stream(_each: Alive, pump: Any, _word: str, _threads: Threads) -> str:
    return "" if pump is None else pump.frame.path


def _reader(_each: Alive, pump: Any, _word: str, _threads: Threads) -> str:
    pieces: Any = getattr(pump, "pieces", None) or getattr(pump, "_pieces", ())
    return "" if pump is None else f"{len(pieces)} pieces are not read"


def _resource(_each: Alive, keeper: Any, _word: str, _threads: Threads) -> str:
    return "" if keeper is None else keeper._name


def _message(_each: Alive, inbox: Any, _word: str, _threads: Threads) -> str:
    if hasattr(inbox, "_topic"):
        return str(inbox._topic.name)
    return "" if inbox is None else f"{inbox._mailbox.taken:,} taken so far"


def _reply(_each: Alive, question: Any, _word: str, _threads: Threads) -> str:
    return "" if question is None else _to(question)


def _room(_each: Alive, message: Any, _word: str, _threads: Threads) -> str:
    if hasattr(message, "keep"):
        return f"{message.name}, of which a subscriber is behind"
    return "" if message is None else f"{_to(message)}, whose mailbox is full"


def _to(message: Any) -> str:
    agent = message._mailbox
    return f"{agent.name}, {agent.state}, {agent.waiting:,} waiting"


def _approval(_each: Alive, asked: Any, _word: str, _threads: Threads) -> str:
    if asked is None:
        return ""
    inside = glance_at(asked)
    return asked.get_coro().__qualname__ if inside is None else inside.calls[0].path


def _agent(_each: Alive, agent: Any, _word: str, _threads: Threads) -> str:
    return "" if agent is None else agent.name


def _loop(_each: Alive, _what: Any, _word: str, _threads: Threads) -> str:
    return "the event loop"


_WORDS: dict[str, Callable[[Alive, Any, str, Threads], str]] = {
    "lane": _job,
    "abandoned": _job,
    "running": _loop,
    "limit": _limit,
    "retry": _retry,
    "children": _children,
    "handle": _handle,
    "stream": _stream,
    "reader": _reader,
    "resource": _resource,
    "message": _message,
    "reply": _reply,
    "room": _room,
    "agent": _agent,
    "approval": _approval,
    "sleep": _sleep,
    "asyncio": _asyncio,
}


def place_of(each: Alive, spot: Spot | None, threads: Threads, stacks: dict[int, FrameType]) -> str:
    """Return ``file:line in function`` of the call's own code; empty when it isn't known."""
    wait = each.wait
    if wait is not None and wait.kind == "running":
        return _shown(wait.what.look_up())
    if wait is not None and wait.kind in ("lane", "abandoned"):
        frame = stacks.get(threads[wait.what][1]) if wait.what in threads else None
        return "" if frame is None else _shown(users_spot(frame).look_up())
    return "" if spot is None else _shown(spot.look_up())


def _shown(place: Place) -> str:
    return f"{place.file}:{place.line} in {place.function}"
