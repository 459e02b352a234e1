"""What is said of each kind of finding: what happened, and the cure."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..._core.place import Place
from .ledger import Sum

WIDTH = 100  # columns


class Words(NamedTuple):
    """What is said of a kind.

    Attributes:
      heading: under which it stands.
      says: one line on what happened. ``{n}`` is how often and ``{s}`` the plural's s, ``{lasting}`` and ``{total}``
        what it cost, ``{what}`` the most frequent functions, ``{how}``, ``{threads}`` and ``{share}`` details.
      cure: one line on what to do.
      subjects: the details that are shown below, and the word before each.
    """

    heading: str
    says: str
    cure: str
    subjects: tuple[tuple[str, str], ...] = ()


LOST = "work was lost"
STOOD = "the event loop stood still"
WAITED = "work waited for a thread"
THREADS = "threads that go on"
HEADINGS = (LOST, STOOD, WAITED, THREADS)
"""In this order."""

KINDS: dict[str, Words] = {
    "task_lost": Words(
        LOST,
        "{n} task{s} ({what}) garbage-collected before the end: nobody held a reference",
        "keep it and await it, or start it in a linecook.scope(), which waits for it",
    ),
    "task_left": Words(
        LOST,
        "{n} task{s} ({what}) not done when the program was: {how}",
        "await it before the end, or start it in a linecook.scope(), which waits for it",
    ),
    "exception_unseen": Words(
        LOST,
        "{n} exception{s} that nobody looked at, of {what}",
        "await the task; or linecook.settle(...): one outcome for each, none is lost",
        (("error", ""), ("raised", "raised at")),
    ),
    "never_awaited": Words(
        LOST,
        "{n} coroutine{s} ({what}) made and never awaited: the body did not run",
        "write await before the call",
        (("how", ""), ("defined", "defined at")),
    ),
    "loop_error": Words(
        LOST,
        "{n} complaint{s} that the event loop's exception handler was told",
        "catch it where it is raised",
        (("said", ""),),
    ),
    "stall": Words(
        STOOD,
        "{n} stall{s} of the event loop, {lasting}",
        "blocking work belongs on a thread: a plain def @linecook.tool, or asyncio.to_thread",
        (("how", ""),),
    ),
    "stall_held": Words(
        STOOD,
        "{n} wait{s} of the event loop for the interpreter, which threads held, {lasting}",
        "find the thread under 'CPU work in a thread': that work belongs in a process",
    ),
    "cpu_thread": Words(
        STOOD,
        "CPU work in a thread held the interpreter for {total}, {share} of the time",
        'a process: @linecook.tool(lane="process"), or a ProcessPoolExecutor',
        (("thread", "in"),),
    ),
    "pool_wait": Words(
        WAITED,
        "{n} call{s} ({what}) waited for one of the {threads} threads of the default pool, {lasting}",
        "linecook.install()   before asyncio.run: the default pool then grows past what blocks it",
        (("how", ""), ("behind", "behind")),
    ),
    "own_pool_wait": Words(
        WAITED,
        "{n} call{s} ({what}) waited for one of the {threads} threads of a pool of the program's, {lasting}",
        "more workers, if the wait isn't meant",
        (("how", ""), ("behind", "behind")),
    ),
    "dns_slow": Words(
        WAITED,
        "{n} slow name look-up{s}, {lasting}, on a thread of the default pool",
        "mend the resolver, or cache; linecook.install() keeps others from waiting behind it",
        (("host", "of"),),
    ),
    "thread_stuck": Words(
        THREADS,
        "{n} thread{s} still running when the program was over: Python waits before it exits",
        "a time-out in the call itself; a linecook tool on a thread never delays the exit",
        (("thread", "thread"),),
    ),
    "wait": Words("the longest waits", "{what}, {lasting}", ""),
}

BLIND = (
    "who holds an asyncio lock, queue or semaphore that a task waits for",
    "what C extensions do while they let go of the interpreter, and threads they make themselves",
    "child processes",
    "waits and threads of pools other than concurrent.futures' (anyio's, for one)",
)
"""What can't be seen, always said."""


def says(total: Sum) -> str:
    """Return one line on what happened."""
    return KINDS[total.kind].says.format(
        n=f"{total.count:,}",
        s="" if total.count == 1 else "s",
        total=seconds(total.seconds),
        lasting=_lasting(total),
        what=_most_frequent(total, "what", 3),
        how=_most_frequent(total, "how"),
        threads=_most_frequent(total, "threads"),
        share=_most_frequent(total, "share"),
    )


def seconds(value: float) -> str:
    """Return a duration as people read it."""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 9.995 else f"{value:,.1f} s"


def _lasting(total: Sum) -> str:
    if total.count == 1:
        return seconds(total.seconds)
    return f"{seconds(total.seconds)} in all, the longest {seconds(total.longest)}"


def _most_frequent(total: Sum, subject: str, count: int = 1) -> str:
    said = total.details.get(subject)
    return ", ".join(str(name) for name, _ in said.most_common(count)) if said else "?"


def shown(place: Place) -> str:
    """Return *place* with its source line, by the shorter of its path and its path from here."""
    if not place.file:
        return "somewhere: Python doesn't say where"
    where = f"{_short(place.file)}:{place.line}" + (f" in {place.function}" if place.function else "")
    return f"{where}: {place.source}" if place.source else where


def _short(file: str) -> str:
    """Return *file* as seen from here, where that is shorter."""
    try:
        relative = os.path.relpath(file)
    except (OSError, ValueError):  # the current directory is gone
        return file
    return relative if len(relative) < len(file) else file


def cut(line: str) -> str:
    """Return as much of *line* as fits."""
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
